"""Which requests count as the same one, in every release: digests are compared with those that others have stored."""

import hashlib
from dataclasses import dataclass, replace

import pytest

from identity_service.application.fingerprint import digest_of, fingerprint
from identity_service.domain.request import (
    Body,
    ConsolePassword,
    Credentials,
    GroupCreation,
    MfaDeviceEnabling,
    Mutation,
    NewGroup,
    NewUser,
    Permissions,
    RequestFields,
    SelfManagement,
    UserChange,
    UserDeletion,
)
from identity_service.domain.secret import Secret

ACCOUNT = "123456789012"
REQUEST_ID = "0b0e3a52-7a0c-4b5e-9f57-0f9d8f0d3c11"


@dataclass(frozen=True)
class NewerCredentials(Credentials):
    """Credentials as a release to come may know them."""

    signing_certificate: bool = False


@dataclass(frozen=True)
class NewerChange(UserChange):
    """A change as a release to come may know it."""

    contact: str = ""
    labels: tuple[str, ...] = ()


def asked(action: str, body: Body, *recipients: str) -> str:
    """Return the fingerprint of a mutation."""
    return fingerprint(Mutation(action, "", REQUEST_ID, False, "", body, recipients), ACCOUNT)


@pytest.mark.parametrize(
    ("digest", "canonical"),
    [
        pytest.param(
            asked("DeleteUser", UserDeletion("ana")),
            '{"account_id": "123456789012", "action": "DeleteUser", "body": {"user_name": "ana"}, "recipients": []}',
            id="least",
        ),
        pytest.param(
            asked("CreateUser", UserChange("ana", new_user=NewUser(), fields=RequestFields(tags="user.tags"))),
            '{"account_id": "123456789012", "action": "CreateUser",'
            ' "body": {"new_user": {}, "user_name": "ana"}, "recipients": []}',
            id="a part that is there with nothing in it, wherever in the message",
        ),
        pytest.param(
            asked(
                "ProvisionUser",
                UserChange(
                    "ana",
                    new_user=NewUser(path="/people/", tags=(("team", "blue"),)),
                    credentials=Credentials(
                        access_key=True, console_password=ConsolePassword(Secret("Abcdefgh1!"), require_reset=True)
                    ),
                    permissions=Permissions(group_names=("devs",), self_management=SelfManagement.PASSWORD),
                ),
                "age1b",
                "age1a",
            ),
            '{"account_id": "123456789012", "action": "ProvisionUser", "body": {'
            '"credentials": {"access_key": true, "console_password": {"custom": "a secret", "require_reset": true}}, '
            '"new_user": {"path": "/people/", "tags": [["team", "blue"]]}, '
            '"permissions": {"group_names": ["devs"], "self_management": "PASSWORD"}, '
            '"user_name": "ana"}, "recipients": ["age1a", "age1b"]}',
            id="much",
        ),
        pytest.param(
            asked("EnableMfaDevice", MfaDeviceEnabling("ana", "arn:mfa", Secret("123456"), Secret("654321"))),
            '{"account_id": "123456789012", "action": "EnableMfaDevice", "body": {"first_code": "a secret",'
            ' "second_code": "a secret", "serial_number": "arn:mfa", "user_name": "ana"}, "recipients": []}',
            id="secrets alone",
        ),
        pytest.param(
            asked("CreateGroup", GroupCreation(NewGroup("devs"))),
            '{"account_id": "123456789012", "action": "CreateGroup",'
            ' "body": {"group": {"group_name": "devs"}}, "recipients": []}',
            id="no user",
        ),
        pytest.param(
            digest_of((UserChange("ana"), UserChange("bo"))),
            '[{"user_name": "ana"}, {"user_name": "bo"}]',
            id="users of an operation",
        ),
    ],
)
def test_a_digest_is_that_of_what_is_set(digest: str, canonical: str) -> None:
    """Names of fields, their order and what is left out stay as they are: a rollout mixes releases."""
    assert digest == hashlib.sha256(canonical.encode()).hexdigest()


def test_a_new_field_makes_no_other_request() -> None:
    """A retry that reaches a newer release, which knows more fields, has the digest that the older one has stored."""
    older = UserChange("ana", new_user=NewUser(), credentials=Credentials(access_key=True))
    newer = NewerChange("ana", new_user=NewUser(), credentials=NewerCredentials(access_key=True))
    assert asked("ProvisionUser", newer) == asked("ProvisionUser", older)


@pytest.mark.parametrize(
    "other",
    [
        NewerChange("ana", contact="bo"),
        NewerChange("ana", labels=("blue",)),
        NewerChange("ana", credentials=NewerCredentials(signing_certificate=True)),
        NewerChange("ana", new_user=NewUser()),
        NewerChange("bo"),
    ],
)
def test_a_field_that_is_set_makes_another_request(other: NewerChange) -> None:
    """Only what a caller has not set is left out."""
    assert asked("ProvisionUser", other) != asked("ProvisionUser", NewerChange("ana"))


def test_a_password_of_the_caller_s_own_makes_another_request() -> None:
    """That there is a secret counts, although the secret itself does not."""
    generated = UserChange("ana", credentials=Credentials(console_password=ConsolePassword()))
    own = replace(generated, credentials=Credentials(console_password=ConsolePassword(Secret("Abcdefgh1!"))))
    assert asked("ProvisionUser", own) != asked("ProvisionUser", generated)
