"""The service against the known ways to more rights: its own guards refuse, with a role that could do everything.

`GUARDS` says how each guard is taken out; an attack names those that stop it. A new guard is a new entry of both.
"""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from identity_provisioning.v1.credential_pb2 import ConsolePasswordSpec, CredentialSpec, MfaDeviceSpec
from identity_provisioning.v1.credential_service_pb2 import (
    CreateCredentialsRequest,
    CreateMfaDeviceRequest,
    DeleteMfaDeviceRequest,
    DisableConsoleAccessRequest,
    EnableMfaDeviceRequest,
)
from identity_provisioning.v1.credential_service_pb2_grpc import CredentialServiceStub
from identity_provisioning.v1.error_pb2 import ErrorReason
from identity_provisioning.v1.permission_pb2 import (
    SELF_MANAGEMENT_PASSWORD,
    InlinePolicy,
    NewGroup,
    NewPolicy,
    PermissionSpec,
)
from identity_provisioning.v1.permission_service_pb2 import (
    AssignPermissionsRequest,
    CreateGroupRequest,
    CreatePolicyRequest,
    DeleteGroupRequest,
    DeletePolicyRequest,
    RevokePermissionsRequest,
)
from identity_provisioning.v1.permission_service_pb2_grpc import PermissionServiceStub
from identity_provisioning.v1.user_pb2 import Tag, UserSpec
from identity_provisioning.v1.user_service_pb2 import (
    AdoptUserRequest,
    DeleteUserRequest,
    ProvisionUserRequest,
    UpdateUserRequest,
)
from identity_provisioning.v1.user_service_pb2_grpc import UserServiceStub
from identity_service.adapters.authorization import questions
from identity_service.adapters.authorization.rules import Rules
from identity_service.adapters.aws_iam import ExplicitCredentials
from identity_service.application import gate
from identity_service.application.executor import Executor
from identity_service.bootstrap import serve
from identity_service.domain import guard_rails, tags
from identity_service.domain.guard_rails import Rail
from identity_service.domain.secret import Secret
from identity_service.domain.steps import TagUser
from identity_service.rpc.validation import RequestValidator
from identity_service.settings import load_settings
from tests.security.role_world import ACCOUNT, ADMINISTRATOR, BOUNDARY, EVERYTHING, OWNER, PREFIX, World

TEAM = "payments"
CALLER = "spiffe://insecure.local/caller"
ALLOWED = (
    "AdoptUser",
    "AssignPermissions",
    "CreateCredentials",
    "CreateMfaDevice",
    "DeleteMfaDevice",
    "DeletePolicy",
    "DeleteUser",
    "DisableConsoleAccess",
    "EnableMfaDevice",
    "ProvisionUser",
    "RevokePermissions",
    "UpdateUser",
)
POLICIES = f"""
@id("rpcs") permit (principal, action in [{", ".join(f'Action::"{rpc}"' for rpc in ALLOWED)}], resource);
@id("steps") permit (principal, action, resource) unless {{
  resource is Account ||
  action in [
    Action::"plan:CopyPermissions", Action::"plan:TakeOwnership", Action::"iam:CreateGroup", Action::"iam:CreatePolicy"
  ]
}};
"""
OWNED_BOUNDARY = f"{PREFIX}policy/OwnedBoundary"
RAILS: dict[str, object] = {
    "required_boundary": [BOUNDARY, OWNED_BOUNDARY],
    "allowed_paths": ["/people/*"],
    "user_name_pattern": "[a-z]+",
    "allowed_policies": [f"{PREFIX}policy/Deploy", OWNED_BOUNDARY],
    "allowed_groups": ["Developers"],
    "inline_documents": "forbidden",
    "self_management": "forbidden",
}
"""All guard rails at once, for the attacks that one of them stops; the others are made by a team without any."""
OWN_KEYS = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "iam:*AccessKey*", "Resource": f"{PREFIX}user/people/${{aws:username}}"}
        ],
    }
)
"""What self-management allows, in words of the caller's own."""
OWN_POLICIES = OWN_KEYS.replace("iam:*AccessKey*", "iam:PutUserPolicy")
"""What lets a user write the same for itself."""
THEIRS = [{"Key": OWNER, "Value": "others"}]
BOBS_DEVICE = f"{PREFIX}mfa/bob"

Patch = pytest.MonkeyPatch


def _open(*_: object, **__: object) -> None:
    """Let everything through."""


def _ask_nothing(*_: object, **__: object) -> tuple[()]:
    """Have no question, and no verdict."""
    return ()


def _without_owner(patch: Patch) -> None:
    """Ask for the owner neither of the plan nor, once more, before the steps."""
    patch.setattr(gate, "_require_owner", _open)
    patch.setattr(Executor, "_require_not_anothers", _open)


def _without_rail(name: str, patch: Patch) -> None:
    judge = getattr(guard_rails, f"_{name}")
    patch.setattr(guard_rails, "JUDGES", tuple(one for one in guard_rails.JUDGES if one is not judge))


GUARDS: dict[str, Callable[[Patch], None]] = {
    "right to the RPC": lambda patch: patch.setattr(Rules, "about_rpc", _ask_nothing),
    "right to the steps": lambda patch: patch.setattr(questions, "_about_step", _ask_nothing),
    "right to copy": lambda patch: patch.setattr(questions, "_about_copy", _ask_nothing),
    "right to adopt": lambda patch: patch.setattr(questions, "TAKE_OWNERSHIP", TagUser.iam_action),
    "owner": _without_owner,
    "contract": lambda patch: patch.setattr(RequestValidator, "check", _open),
    "reserved tags": lambda patch: patch.setattr(tags, "RESERVED_PREFIXES", ("aws:",)),
    **{name: partial(_without_rail, name) for name in RAILS},
}
"""How each guard of the service is taken out; a guard rail has its name in callers.yaml."""

REASONS = {
    "right to the RPC": "CALLER_NOT_ALLOWED rpc",
    "right to the steps": "CALLER_NOT_ALLOWED grant",
    "right to copy": "CALLER_NOT_ALLOWED grant",
    "right to adopt": "CALLER_NOT_ALLOWED grant",
    "owner": "NOT_OWNER",
    "contract": "INVALID_FIELD",
    "reserved tags": "INVALID_FIELD",
    **{name: f"CALLER_NOT_ALLOWED guard-rail:{name.replace('_', '-')}" for name in RAILS},
}
"""What the caller hears of each: the reason, and the rule where there is one."""

PAST_THE_GUARDS = {"", "INVALID_MFA_CODE", "IN_USE", "MFA_DEVICE_NOT_FOUND", "PASSWORD_ALREADY_EXISTS"}
"""What an attack comes to that no guard stops: it is carried out, or fails by what it is aimed at."""

NEVER_ALONE = {"contract"}
"""Guards behind which another one stands for each attack here."""


@dataclass(frozen=True)
class Attack:
    """A way to more rights through an RPC: its row in docs/escalation.md, and the guards that stop it, each alone."""

    row: str
    rpc: str
    request: Any
    guards: tuple[str, ...]

    @property
    def railed(self) -> bool:
        """Whether the caller's team is one with guard rails."""
        return bool(RAILS.keys() & set(self.guards))


def on_user(name: str) -> list[Attack]:
    """List what may not be done to a user whom the caller's team does not own."""
    key, password = CredentialSpec(access_key=True), CredentialSpec(console_password=ConsolePasswordSpec())
    spec, inline = PermissionSpec, InlinePolicy(policy_name="x", document=EVERYTHING)
    enabling = EnableMfaDeviceRequest(
        user_name=name, serial_number=BOBS_DEVICE, first_code="123456", second_code="654321"
    )
    owner = ("owner",)

    def assign(**parts: Any) -> AssignPermissionsRequest:
        return AssignPermissionsRequest(user_name=name, permissions=spec(**parts))

    def create(credentials: CredentialSpec) -> CreateCredentialsRequest:
        return CreateCredentialsRequest(user_name=name, credentials=credentials)

    return [
        Attack("access key for another user", "CreateCredentials", create(key), owner),
        Attack("password for another user", "CreateCredentials", create(password), owner),
        Attack(
            "own MFA device for another user",
            "CreateMfaDevice",
            CreateMfaDeviceRequest(user_name=name, mfa_device=MfaDeviceSpec(device_name="own")),
            owner,
        ),
        Attack("own MFA device for another user", "EnableMfaDevice", enabling, owner),
        Attack(
            "MFA device taken off",
            "DeleteMfaDevice",
            DeleteMfaDeviceRequest(user_name=name, serial_number=BOBS_DEVICE),
            owner,
        ),
        Attack("managed policy on a user", "AssignPermissions", assign(managed_policies=[ADMINISTRATOR]), owner),
        Attack("inline policy on a user", "AssignPermissions", assign(inline_policies=[inline]), owner),
        Attack("joining a group", "AssignPermissions", assign(group_names=["Administrators"]), owner),
        Attack("other boundary", "AssignPermissions", assign(permissions_boundary="Shared"), owner),
        Attack(
            "leaving a denying group",
            "RevokePermissions",
            RevokePermissionsRequest(user_name=name, group_names=["Quarantine"]),
            owner,
        ),
        Attack(
            "denying policy taken off a user",
            "RevokePermissions",
            RevokePermissionsRequest(user_name=name, inline_policy_names=["deny"]),
            owner,
        ),
        Attack(
            "user moved or renamed", "UpdateUser", UpdateUserRequest(user_name=name, new_user_name="mallory"), owner
        ),
        Attack(
            "tag that a policy looks at",
            "UpdateUser",
            UpdateUserRequest(user_name=name, set_tags=[Tag(key="department", value="security")]),
            owner,
        ),
        Attack("user deleted and made again", "DeleteUser", DeleteUserRequest(user_name=name), owner),
        Attack(
            "password taken off another user",
            "DisableConsoleAccess",
            DisableConsoleAccessRequest(user_name=name),
            owner,
        ),
    ]


def beyond_rails() -> list[Attack]:
    """List what a team with every guard rail may not do with users, groups and policies that are all its own."""
    inline = InlinePolicy(policy_name="x", document=EVERYTHING)

    def make(path: str, boundary: str) -> ProvisionUserRequest:
        permissions = PermissionSpec(permissions_boundary=boundary)
        return ProvisionUserRequest(user=UserSpec(user_name="eve", path=path, permissions=permissions))

    def assign(user_name: str = "ana", **parts: Any) -> AssignPermissionsRequest:
        return AssignPermissionsRequest(user_name=user_name, permissions=PermissionSpec(**parts))

    def update(**parts: Any) -> UpdateUserRequest:
        return UpdateUserRequest(user_name="ana", **parts)

    def revoke(**parts: Any) -> RevokePermissionsRequest:
        return RevokePermissionsRequest(user_name="ana", **parts)

    boundary, paths, policies = ("required_boundary",), ("allowed_paths",), ("allowed_policies",)
    groups, documents = ("allowed_groups",), ("inline_documents",)
    return [
        Attack("user without our boundary", "ProvisionUser", make("/people/", ""), boundary),
        Attack("user without our boundary", "ProvisionUser", make("/people/", "Shared"), boundary),
        Attack("other boundary", "AssignPermissions", assign(permissions_boundary="Shared"), boundary),
        Attack("managed policy on a user", "AssignPermissions", assign("bare", managed_policies=["Deploy"]), boundary),
        Attack("boundary's policy changed", "DeletePolicy", DeletePolicyRequest(policy_arn=OWNED_BOUNDARY), boundary),
        Attack("user outside the path", "ProvisionUser", make("/", "Boundary"), paths),
        Attack("user moved or renamed", "UpdateUser", update(new_path="/admins/"), paths),
        Attack("user moved or renamed", "UpdateUser", update(new_user_name="Administrator"), ("user_name_pattern",)),
        Attack("managed policy on a user", "AssignPermissions", assign(managed_policies=[ADMINISTRATOR]), policies),
        Attack("joining a group", "AssignPermissions", assign(group_names=["Administrators"]), groups),
        Attack("leaving a denying group", "RevokePermissions", revoke(group_names=["Quarantine"]), groups),
        Attack(
            "inline policy on a user",
            "AssignPermissions",
            assign(inline_policies=[inline]),
            (*documents, "self_management"),
        ),
        Attack("denying policy taken off a user", "RevokePermissions", revoke(inline_policy_names=["deny"]), documents),
        Attack(
            "inline policy on a user",
            "AssignPermissions",
            assign("bare", inline_policies=[inline]),
            (*boundary, *documents, "self_management"),
        ),
        Attack(
            "rights to one's own credentials",
            "AssignPermissions",
            assign(self_management=SELF_MANAGEMENT_PASSWORD),
            ("self_management",),
        ),
        Attack(
            "rights to one's own credentials",
            "AssignPermissions",
            assign(inline_policies=[InlinePolicy(policy_name="renamed", document=OWN_KEYS)]),
            ("inline_documents", "self_management"),
        ),
        Attack(
            "rights to one's own credentials",
            "AssignPermissions",
            assign(inline_policies=[InlinePolicy(policy_name="detour", document=OWN_POLICIES)]),
            ("inline_documents", "self_management"),
        ),
    ]


def of_new_things() -> list[Attack]:
    """List the groups and policies that may not be made on the way, by who may call the RPC."""
    group = NewGroup(group_name="Auditors", managed_policies=[ADMINISTRATOR])
    policy = NewPolicy(policy_name="All", document=EVERYTHING)
    both, steps = ("right to the RPC", "right to the steps"), ("right to the steps",)

    def assign(**parts: Any) -> AssignPermissionsRequest:
        return AssignPermissionsRequest(user_name="ana", permissions=PermissionSpec(**parts))

    return [
        Attack("group made or renamed", "CreateGroup", CreateGroupRequest(group=group), both),
        Attack("policy of everything", "CreatePolicy", CreatePolicyRequest(policy=policy), both),
        Attack("group made or renamed", "AssignPermissions", assign(new_groups=[group]), steps),
        Attack("managed policy on a group", "AssignPermissions", assign(new_groups=[group]), steps),
        Attack("policy of everything", "AssignPermissions", assign(new_policies=[policy]), steps),
        Attack("other boundary", "AssignPermissions", assign(new_permissions_boundary=policy), steps),
    ]


ATTACKS = [
    *on_user("bob"),
    *on_user("chief"),
    *beyond_rails(),
    *of_new_things(),
    Attack(
        "denying policy taken off a group",
        "DeleteGroup",
        DeleteGroupRequest(group_name="Held"),
        ("right to the RPC",),
    ),
    Attack("adopting another team's user", "AdoptUser", AdoptUserRequest(user_name="bob"), ("owner", "right to adopt")),
    Attack(
        "adopting an administrator without the right",
        "AdoptUser",
        AdoptUserRequest(user_name="chief"),
        ("right to adopt",),
    ),
    Attack(
        "policy deleted and made again",
        "DeletePolicy",
        DeletePolicyRequest(policy_arn=f"{PREFIX}policy/Shared"),
        ("owner",),
    ),
    Attack(
        "copying from an administrator",
        "ProvisionUser",
        ProvisionUserRequest(user=UserSpec(user_name="eve", permissions=PermissionSpec(copy_from_user_name="boss"))),
        ("right to copy",),
    ),
    Attack(
        "copying from an administrator",
        "AssignPermissions",
        AssignPermissionsRequest(user_name="ana", permissions=PermissionSpec(copy_from_user_name="boss")),
        ("right to copy",),
    ),
    Attack(
        "owner changed",
        "UpdateUser",
        UpdateUserRequest(user_name="ana", set_tags=[Tag(key=OWNER, value="others")]),
        ("contract", "reserved tags", "right to adopt"),
    ),
    Attack(
        "our tags taken off",
        "UpdateUser",
        UpdateUserRequest(user_name="ana", remove_tag_keys=[OWNER.upper()]),
        ("reserved tags",),
    ),
]
CASES = [
    pytest.param(attack, id=f"{number}-{attack.rpc}-{attack.row.replace(' ', '-')}")
    for number, attack in enumerate(ATTACKS)
]

Send = Callable[[str, Any], Any]


@asynccontextmanager
async def serving(world: World, folder: Path, rails: object) -> AsyncIterator[Send]:
    """Run the service in this process, so that a guard can be taken out, with the rights of an administrator."""
    authorization = folder / "authorization"
    authorization.mkdir()
    callers = {"teams": {TEAM: {"accounts": {ACCOUNT: rails}}}, "callers": {CALLER: TEAM}}
    # JSON is YAML too.
    (authorization / "callers.yaml").write_text(json.dumps(callers))
    (authorization / "payments.cedar").write_text(POLICIES)
    settings = load_settings(
        {
            "listen_address": "127.0.0.1:0",
            "health_address": "127.0.0.1:0",
            "authorization_dir": authorization,
            "store_url": f"sqlite:///{folder / 'store.sqlite3'}",
            "aws_account_id": ACCOUNT,
            "aws_endpoint_url": world.aws.endpoint_url,
            "aws_region": "us-east-1",
            "aws_partition": "aws",
        },
        insecure=True,
    )
    credentials = ExplicitCredentials(world.aws.access_key_id, Secret(world.aws.secret_access_key))
    async with (
        serve(settings, insecure=True, credentials=credentials) as addresses,
        grpc.aio.insecure_channel(addresses.listen_address) as channel,
    ):
        stubs = (UserServiceStub(channel), CredentialServiceStub(channel), PermissionServiceStub(channel))

        async def send(rpc: str, request: Any) -> Any:
            request.request_id = str(uuid4())
            (method,) = [getattr(stub, rpc) for stub in stubs if hasattr(stub, rpc)]
            return await method(request, timeout=20)

        yield send


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers(running_world: World, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mapping[bool, Send]]:
    """Run the service for a team without guard rails, and for one with all of them."""
    async with AsyncExitStack() as stack:
        yield {
            railed: await stack.enter_async_context(serving(running_world, tmp_path_factory.mktemp("server"), rails))
            for railed, rails in ((False, "unguarded"), (True, RAILS))
        }


@pytest.fixture
def send(world: World, servers: Mapping[bool, Send], attack: Attack) -> Send:
    """Connect to the service, in an account that has `bob` of another team, and his pending MFA device, besides.

    Ana has a policy that denies, and so has `Held`, a group without members.
    """
    world.admin.create_user(UserName="bob", Path="/people/", Tags=THEIRS)
    for name in ("bob", "ana"):
        world.admin.put_user_policy(UserName=name, PolicyName="deny", PolicyDocument=EVERYTHING)
    world.admin.create_group(GroupName="Held")
    world.admin.put_group_policy(GroupName="Held", PolicyName="deny", PolicyDocument=EVERYTHING)
    world.admin.add_user_to_group(UserName="bob", GroupName="Quarantine")
    world.admin.create_virtual_mfa_device(
        VirtualMFADeviceName="bob",
        Tags=[*THEIRS, {"Key": "identity-provisioning:user", "Value": "bob"}],
    )
    return servers[attack.railed]


async def refusal(send: Send, attack: Attack, *, validate_only: bool = False) -> str:
    """Send an attack; return the reason why it was refused, and the rule if one did, empty if it was not.

    A plan has its reason as a problem.
    """
    request = type(attack.request)()
    request.CopyFrom(attack.request)
    request.validate_only = validate_only
    try:
        answer = await send(attack.rpc, request)
    except grpc.aio.AioRpcError as error:
        details = dict(error.trailing_metadata())["grpc-status-details-bin"]
        info = ErrorInfo()
        assert Status.FromString(details).details[0].Unpack(info)
        return f"{info.reason} {info.metadata.get('rule', '')}".strip()
    reasons = [ErrorReason.Name(problem.reason) for problem in answer.plan.problems]
    return reasons[0].removeprefix("ERROR_REASON_") if reasons else ""


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("attack", CASES)
async def test_the_service_refuses(send: Send, world: World, attack: Attack) -> None:
    """The caller hears the guard's reason, also for a mere plan, and the account is as it was."""
    before = world.aws.dump()
    expected = REASONS[attack.guards[0]]
    assert await refusal(send, attack, validate_only=True) == expected
    assert await refusal(send, attack) == expected
    assert world.aws.dump() == before


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("attack", CASES)
async def test_each_guard_is_needed(send: Send, monkeypatch: Patch, attack: Attack) -> None:
    """With all that stop an attack taken out it goes through; while one of them stands, it does not."""
    for guard in attack.guards:
        assert await refusal(send, attack) in REASONS.values()
        GUARDS[guard](monkeypatch)
    assert await refusal(send, attack) in PAST_THE_GUARDS


def test_every_guard_has_an_attack() -> None:
    """No guard is there that no attack would miss: each stops one that nothing else stops."""
    assert {guard for attack in ATTACKS for guard in attack.guards} == set(GUARDS)
    assert {attack.guards[0] for attack in ATTACKS if len(attack.guards) == 1} == set(GUARDS) - NEVER_ALONE


def test_every_guard_rail_is_a_guard() -> None:
    """A guard rail that is added needs an attack here."""
    assert {rail.value.replace("-", "_") for rail in Rail} == RAILS.keys()


def test_the_document_has_a_row_for_each_attack() -> None:
    """What is tested stands in docs/escalation.md under the same name, with its RPC and its guards."""
    text = (Path(__file__).resolve().parents[2] / "docs/escalation.md").read_text()
    rows = {cells[1].strip(): cells for line in text.splitlines() if len(cells := line.split("|")) > 5}
    for attack in ATTACKS:
        assert attack.row in rows, attack.row
        assert attack.rpc in rows[attack.row][3], attack.row
        assert all(guard in rows[attack.row][4] for guard in attack.guards), attack.row
