"""What a caller does who needs the secrets of an answer."""

from __future__ import annotations

import uuid

import pytest

from identity_client import IdentityClient, SecretsWithheld, require_secrets
from tests.unit.client.fake_service import SECRET_KEY


def test_an_answer_with_secrets_is_passed_on(client: IdentityClient) -> None:
    """Who requires secrets and has them gets the answer itself."""
    made = require_secrets(client.provision_user("ana", access_key=True))
    assert made.credentials.access_key.secret_access_key == SECRET_KEY


def test_an_answer_without_secrets_to_show_is_passed_on(client: IdentityClient) -> None:
    """Where none were asked for, none are missing."""
    assert require_secrets(client.provision_user("ana")).user.user_name == "ana"


def test_withheld_secrets_are_an_error_that_says_what_to_do(client: IdentityClient) -> None:
    """The second answer to a request_id has none: the error names the two ways to come by some."""
    given = str(uuid.uuid4())
    client.provision_user("ana", access_key=True, request_id=given)
    with pytest.raises(SecretsWithheld, match="another answer") as caught:
        require_secrets(client.provision_user("ana", access_key=True, request_id=given))
    assert "reissue_secrets=True" in str(caught.value)
    assert SECRET_KEY not in str(caught.value)
