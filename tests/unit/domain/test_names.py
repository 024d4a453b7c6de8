"""Names: what the contract takes is what IAM takes, and letter case never tells two names apart."""

import re
from uuid import uuid4

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity_provisioning.v1.permission_service_pb2 import DeleteGroupRequest
from identity_provisioning.v1.user_service_pb2 import CreateUserRequest
from identity_service.domain.errors import IdentityError
from identity_service.domain.names import name_key, user_arn
from identity_service.rpc.validation import RequestValidator

ALPHABET = "abcXYZ019+=,.@_-"
names = st.text(ALPHABET, min_size=1, max_size=64)
anything = st.one_of(st.text(max_size=70), st.text(ALPHABET + " /é!", max_size=70))
SHAPES = botocore.session.Session().get_component("data_loader").load_service_model("iam", "service-2")["shapes"]


@pytest.fixture(scope="module")
def validator() -> RequestValidator:
    """Build the server's validator once."""
    return RequestValidator()


def iam_takes(shape_name: str, value: str) -> bool:
    """Ask IAM's own service model; what it calls a word character is ASCII."""
    rule = SHAPES[shape_name]
    return rule.get("min", 0) <= len(value) <= rule["max"] and bool(re.fullmatch(rule["pattern"], value, re.ASCII))


def refused_fields(validator: RequestValidator, request: CreateUserRequest | DeleteGroupRequest) -> set[str]:
    """Return the fields that the contract refuses."""
    try:
        validator.check(request)
    except IdentityError as error:
        return {violation.field for violation in error.field_violations}
    return set()


@given(name=anything)
def test_the_contract_takes_the_user_names_that_iam_takes(validator: RequestValidator, name: str) -> None:
    """No good user name is refused, no bad one reaches IAM."""
    request = CreateUserRequest(request_id=str(uuid4()), user_name=name)
    assert ("user_name" in refused_fields(validator, request)) is not iam_takes("userNameType", name)


@given(name=st.one_of(anything, st.text(ALPHABET, max_size=140)))
def test_the_contract_takes_the_group_names_that_iam_takes(validator: RequestValidator, name: str) -> None:
    """No good group name is refused, no bad one reaches IAM."""
    request = DeleteGroupRequest(request_id=str(uuid4()), group_name=name)
    assert ("group_name" in refused_fields(validator, request)) is not iam_takes("groupNameType", name)


@given(path=st.one_of(st.just("/"), st.text("ab/ !~é", max_size=20), names.map(lambda name: f"/{name}/")))
def test_the_contract_takes_the_paths_that_iam_takes(validator: RequestValidator, path: str) -> None:
    """No good path is refused, no bad one reaches IAM; none at all means the root."""
    request = CreateUserRequest(request_id=str(uuid4()), user_name="ana", path=path)
    accepted = not path or iam_takes("pathType", path)
    assert ("path" in refused_fields(validator, request)) is not accepted


@given(names)
def test_names_are_compared_without_letter_case(name: str) -> None:
    """Every spelling of a name has one key, and folding twice changes nothing."""
    assert name_key(name.upper()) == name_key(name.lower()) == name_key(name) == name_key(name_key(name))


@given(names, names)
def test_different_names_have_different_keys(one: str, other: str) -> None:
    """Two names are the same for IAM only if they differ in letter case alone."""
    assert (name_key(one) == name_key(other)) is (one.lower() == other.lower())


@given(names)
def test_an_arn_ends_with_path_and_name(name: str) -> None:
    """A user's ARN holds partition, account, path and name, and nothing between path and name."""
    assert user_arn("aws-cn", "123456789012", "/a/b/", name) == f"arn:aws-cn:iam::123456789012:user/a/b/{name}"
