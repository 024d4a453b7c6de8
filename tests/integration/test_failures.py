"""Failures half-way, as AWS produces them: what was made is undone, and the error says which step and why."""

from uuid import uuid4

import grpc
import pytest

from embedded_aws import Fault
from embedded_aws.faults import AnswerError, AnswerHtml, CloseConnection, DropParameter, LoseReply, throttled
from identity_client import ConsolePassword, IdentityClient, IdentityServiceError
from identity_provisioning.v1.credential_pb2 import ConsolePasswordSpec, CredentialSpec
from identity_provisioning.v1.permission_pb2 import PermissionSpec
from identity_provisioning.v1.user_pb2 import UserSpec
from identity_provisioning.v1.user_service_pb2 import ProvisionUserRequest
from identity_provisioning.v1.user_service_pb2_grpc import UserServiceStub
from tests.integration.conftest import Account, document

STEPS = (
    "CreateUser",
    "AddUserToGroup",
    "AttachUserPolicy",
    "PutUserPolicy",
    "CreateLoginProfile",
    "CreateAccessKey",
)
INLINE = document({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"})


def provision(client: IdentityClient) -> None:
    """Ask for a user with one of everything."""
    client.provision_user(
        "ana",
        groups=["Developers"],
        policies=["Deploy"],
        inline_policies={"read": INLINE},
        boundary="Boundary",
        access_key=True,
        console_password=ConsolePassword(require_reset=True),
        timeout=25,
    )


@pytest.mark.parametrize("step", STEPS)
def test_a_refused_step_leaves_the_account_as_it_was(client: IdentityClient, account: Account, step: str) -> None:
    """Whichever step AWS denies, everything before it is undone and the error names it."""
    before = account.aws.dump()
    account.aws.inject(Fault(step, AnswerError("AccessDenied", 403)))
    with pytest.raises(IdentityServiceError) as caught:
        provision(client)
    assert caught.value.reason == "AWS_ACCESS_DENIED"
    assert caught.value.metadata["failed_step"] == f"iam:{step}"
    assert caught.value.metadata["aws_error_code"] == "AccessDenied"
    assert caught.value.metadata["remaining"] == "nothing"
    assert account.aws.dump() == before


LOST = pytest.mark.parametrize("effect", [LoseReply(), CloseConnection(), AnswerHtml(do_it=True)], ids=repr)
MINTS = pytest.mark.parametrize("mint", ["CreateLoginProfile", "CreateAccessKey"])


@LOST
@MINTS
def test_a_mint_with_a_lost_answer_is_sent_once_and_undone(
    stub: UserServiceStub, account: Account, mint: str, effect: LoseReply | CloseConnection | AnswerHtml
) -> None:
    """A credential that nobody has seen does not stay, and one attempt never makes it twice."""
    before = account.aws.dump()
    account.aws.inject(Fault(mint, effect))
    request = ProvisionUserRequest(
        request_id=str(uuid4()),
        user=UserSpec(
            user_name="ana",
            credentials=CredentialSpec(access_key=True, console_password=ConsolePasswordSpec()),
            permissions=PermissionSpec(group_names=["Developers"]),
        ),
    )
    with pytest.raises(grpc.RpcError) as caught:
        stub.ProvisionUser(request, timeout=20)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert [operation for operation, _ in account.writes()].count(mint) == 1
    assert account.aws.dump() == before


@LOST
@MINTS
def test_the_shipped_client_makes_up_for_a_lost_mint(
    client: IdentityClient, account: Account, mint: str, effect: LoseReply | CloseConnection | AnswerHtml
) -> None:
    """Tried again with the same request_id, the user has just one key, and its secret reaches the caller."""
    account.aws.inject(Fault(mint, effect))
    made = client.provision_user("ana", access_key=True, console_password=True, timeout=25)
    (key,) = account.iam.list_access_keys(UserName="ana")["AccessKeyMetadata"]
    assert key["AccessKeyId"] == made.credentials.access_key.access_key_id
    assert made.credentials.access_key.secret_access_key
    assert made.credentials.console_password.password


@LOST
@pytest.mark.parametrize("step", ["CreateUser", "AddUserToGroup", "AttachUserPolicy", "PutUserPolicy"])
def test_a_lost_answer_of_another_step_does_not_matter(
    client: IdentityClient, account: Account, step: str, effect: LoseReply | CloseConnection | AnswerHtml
) -> None:
    """What may be asked for again is asked for again, and the user is made."""
    account.aws.inject(Fault(step, effect))
    provision(client)
    assert account.iam.get_user(UserName="ana")
    assert len(account.iam.list_access_keys(UserName="ana")["AccessKeyMetadata"]) == 1


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "effect",
    [throttled(), AnswerError("ConcurrentModification", 409), AnswerError("EntityTemporarilyUnmodifiable", 409)],
    ids=["throttled", "concurrent", "unmodifiable"],
)
def test_a_passing_refusal_is_waited_out(
    client: IdentityClient, account: Account, step: str, effect: AnswerError
) -> None:
    """Throttling and conflicts delay a step; they do not fail it."""
    account.aws.inject(Fault(step, effect))
    provision(client)
    assert account.iam.get_login_profile(UserName="ana")


def test_a_user_that_iam_does_not_find_yet_is_waited_for(client: IdentityClient, account: Account) -> None:
    """NoSuchEntity just after CreateUser is IAM's lag, not an error."""
    account.aws.inject(Fault("AttachUserPolicy", AnswerError("NoSuchEntity", 404)))
    provision(client)
    assert account.iam.list_attached_user_policies(UserName="ana")["AttachedPolicies"]


def test_an_undo_waits_for_a_user_that_iam_does_not_find_yet(client: IdentityClient, account: Account) -> None:
    """A user that was just made and is not seen yet is deleted all the same, not left behind."""
    before = account.aws.dump()
    unseen = AnswerError("NoSuchEntity", 404)
    account.aws.inject(Fault("CreateAccessKey", AnswerError("LimitExceeded", 409)))
    account.aws.inject(Fault("GetUser", unseen, skip=1, times=None))
    account.aws.inject(Fault("DeleteUser", unseen, times=2))
    with pytest.raises(IdentityServiceError) as caught:
        client.provision_user("ana", access_key=True)
    assert caught.value.metadata["remaining"] == "nothing"
    assert account.aws.dump() == before


def test_a_boundary_that_iam_drops_fails_closed(client: IdentityClient, account: Account) -> None:
    """A user without the boundary that was asked for is deleted before anything is granted."""
    before = account.aws.dump()
    account.aws.inject(Fault("CreateUser", DropParameter("PermissionsBoundary")))
    with pytest.raises(IdentityServiceError) as caught:
        provision(client)
    assert caught.value.reason == "BOUNDARY_NOT_KEPT"
    assert [operation for operation, _ in account.writes()] == ["CreateUser", "DeleteUser"]
    assert account.aws.dump() == before


def test_what_cannot_be_undone_is_named(client: IdentityClient, account: Account) -> None:
    """Where AWS denies the undo as well, the error says exactly what remains."""
    account.aws.inject(Fault("CreateAccessKey", AnswerError("AccessDenied", 403)))
    account.aws.inject(Fault("DeleteUser", AnswerError("AccessDenied", 403)))
    with pytest.raises(IdentityServiceError) as caught:
        provision(client)
    assert "create user ana" in caught.value.metadata["remaining"]
    assert account.iam.list_attached_user_policies(UserName="ana")["AttachedPolicies"] == []


def test_a_user_of_a_failed_assignment_keeps_what_was_there(client: IdentityClient, account: Account) -> None:
    """An undo puts back what was replaced and takes off only what was added."""
    client.create_user("ana", boundary="Boundary")
    client.assign_permissions("ana", inline_policies={"read": INLINE})
    before = account.aws.dump()
    account.aws.inject(Fault("AddUserToGroup", AnswerError("AccessDenied", 403)))
    with pytest.raises(IdentityServiceError):
        client.assign_permissions(
            "ana",
            groups=["Developers"],
            policies=["Deploy"],
            boundary="OtherBoundary",
            inline_policies={"read": INLINE.replace("GetObject", "PutObject")},
        )
    assert account.aws.dump() == before


def test_a_deletion_that_is_cut_can_be_repeated(client: IdentityClient, account: Account) -> None:
    """A teardown is never undone; asked for again, it goes on."""
    provision(client)
    account.aws.inject(Fault("RemoveUserFromGroup", AnswerError("AccessDenied", 403)))
    with pytest.raises(IdentityServiceError) as caught:
        client.delete_user("ana")
    assert "delete user ana" in caught.value.metadata["remaining"]
    client.delete_user("ana")
    assert account.iam.list_users()["Users"] == []
