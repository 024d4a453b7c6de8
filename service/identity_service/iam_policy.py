"""The least-privilege policy of the service's own role, from what its RPCs use and what the operator allows.

Every statement has a Sid that docs/escalation.md explains. What is allowed is held to a path, a boundary, policies,
groups, and to what bears the owner tag. What no caller may ever do is denied in so many words, so that it stays denied
where somebody gives the role more.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from identity_service.domain import tags
from identity_service.domain.names import aws_managed_policy_arn, group_arn, mfa_device_arn, policy_arn, user_arn
from identity_service.rpc_actions import NOT_BUILT, RPC_ACTIONS

Document = dict[str, object]
Condition = Mapping[str, Mapping[str, str | Sequence[str]]]

MAXIMUM_SIZE = 6144
"""The characters of a managed policy, white space not counted (AWS, "IAM and AWS STS quotas")."""

LONGEST_VALUE = 700
"""An ARN with the longest path and name: so long a value always fits into a document of its own."""

_RESET_POLICY = "IAMUserChangePassword"
_REQUEST_OWNER = f"aws:RequestTag/{tags.OWNER}"
_HELD_OWNER = f"aws:ResourceTag/{tags.OWNER}"
_GETS_AN_OWNER: Condition = {"Null": {_REQUEST_OWNER: "false"}}
_IS_NEW: Condition = {"Null": {_REQUEST_OWNER: "false", f"aws:RequestTag/{tags.ROW}": "false"}}
_GETS_AN_OWNER_ALONE: Condition = {
    "Null": {_REQUEST_OWNER: "false", _HELD_OWNER: "true"},
    "ForAllValues:StringEquals": {"aws:TagKeys": tags.OWNER},
}
"""Nobody owns the user, and it gets an owner and no other tag."""
_HAS_AN_OWNER: Condition = {"Null": {_HELD_OWNER: "false"}}

READS = ("iam:Get", "iam:List", "iam:Simulate")
"""What the actions begin with that change nothing."""

_OWNED_USERS = (
    "iam:CreateAccessKey",
    "iam:CreateLoginProfile",
    "iam:DeactivateMFADevice",
    "iam:DeleteAccessKey",
    "iam:DeleteLoginProfile",
    "iam:DeleteSSHPublicKey",
    "iam:DeleteServiceSpecificCredential",
    "iam:DeleteSigningCertificate",
    "iam:DeleteUser",
    "iam:DeleteUserPolicy",
    "iam:DetachUserPolicy",
    "iam:EnableMFADevice",
    "iam:UntagUser",
    "iam:UpdateAccessKey",
    "iam:UpdateLoginProfile",
    "iam:UpdateUser",
)
_NEVER = (
    # Policies that others have: a new version, or another default one, changes what their holders may do.
    "iam:CreatePolicyVersion",
    "iam:SetDefaultPolicyVersion",
    "iam:PutGroupPolicy",
    "iam:UpdateGroup",
    # Everything about roles: passing them, whom they trust, what they may do, what bounds them.
    "iam:*Role*",
    "iam:*InstanceProfile*",
    "iam:*Provider*",
    # Credentials that this service does not make.
    "iam:Upload*",
    "iam:UpdateSSHPublicKey",
    "iam:UpdateSigningCertificate",
    "iam:CreateServiceSpecificCredential",
    "iam:ResetServiceSpecificCredential",
    "iam:UpdateServiceSpecificCredential",
    "iam:ResyncMFADevice",
    # The account's own settings.
    "iam:CreateAccountAlias",
    "iam:DeleteAccountAlias",
    "iam:UpdateAccountPasswordPolicy",
    "iam:DeleteAccountPasswordPolicy",
)
_BOUNDARY_POLICY_CHANGES = (
    "iam:CreatePolicy",
    "iam:DeletePolicy",
    "iam:DeletePolicyVersion",
    "iam:TagPolicy",
    "iam:UntagPolicy",
)


class PolicyOptionError(ValueError):
    """An option that no policy can be made from; the text is for the operator."""


@dataclass(frozen=True)
class PolicyOptions:
    """What the operator allows. Empty boundaries, policies, groups: any; empty RPCs: all that are built."""

    account_id: str
    partition: str = "aws"
    path: str = "/"
    boundaries: tuple[str, ...] = ()
    allowed_policies: tuple[str, ...] = ()
    allowed_groups: tuple[str, ...] = ()
    rpcs: tuple[str, ...] = ()

    @property
    def served(self) -> frozenset[str]:
        """The RPCs that the policy is for."""
        return frozenset(self.rpcs or RPC_ACTIONS.keys() - NOT_BUILT)

    @property
    def actions(self) -> frozenset[str]:
        """Every IAM action that the RPCs use."""
        return frozenset().union(*(RPC_ACTIONS[rpc] for rpc in self.served))


@dataclass(frozen=True)
class Statement:
    """One statement of a policy."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ("*",)
    condition: Condition | None = None
    effect: str = "Allow"

    def to_document(self) -> Document:
        """Write it as IAM reads it."""
        written: Document = {
            "Sid": self.sid,
            "Effect": self.effect,
            "Action": list(self.actions),
            "Resource": list(self.resources) if len(self.resources) > 1 else self.resources[0],
        }
        if self.condition:
            written["Condition"] = {
                operator: {key: values if isinstance(values, str) else list(values) for key, values in keys.items()}
                for operator, keys in self.condition.items()
            }
        return written


def policy_documents(options: PolicyOptions) -> list[Document]:
    """Return the policy, in as many documents as IAM's size limit makes necessary. Raises PolicyOptionError."""
    _check(options)
    return _packed([part for statement in statements(options) for part in _fitting(statement)])


def statements(options: PolicyOptions) -> list[Statement]:
    """Return the statements, the denying ones first; those without an action are left out."""
    used = options.actions
    found = [
        *_denied(options),
        *_on_users(options),
        *_on_groups(options),
        *_on_policies(options),
        *_on_devices(options),
    ]
    found.append(Statement("Read", tuple(sorted(action for action in used if action.startswith(READS)))))
    kept = [_using(statement, used) if statement.effect == "Allow" else statement for statement in found]
    return [statement for statement in kept if statement.actions]


def _denied(options: PolicyOptions) -> Iterator[Statement]:
    def deny(
        sid: str, actions: Sequence[str], resources: Sequence[str] = ("*",), condition: Condition | None = None
    ) -> Statement:
        return Statement(sid, tuple(actions), tuple(resources), condition, "Deny")

    yield deny("NeverEscalate", _NEVER)
    yield deny(
        "NeverChangeTheOwner",
        ("iam:TagMFADevice", "iam:TagPolicy", "iam:TagUser"),
        condition={
            "Null": {_HELD_OWNER: "false", _REQUEST_OWNER: "false"},
            "StringNotEquals": {_REQUEST_OWNER: f"${{{_HELD_OWNER}}}"},
        },
    )
    yield deny(
        "NeverTakeOurTagsOff",
        ("iam:UntagMFADevice", "iam:UntagPolicy", "iam:UntagUser"),
        # IAM tells tag keys apart without letter case.
        condition={"ForAnyValue:StringEqualsIgnoreCase": {"aws:TagKeys": [tags.OWNER, tags.ROW, tags.USER]}},
    )
    if options.boundaries:
        yield deny("NeverRemoveABoundary", ("iam:DeleteUserPermissionsBoundary",))
        own = [arn for arn in options.boundaries if f"::{options.account_id}:" in arn]
        if own:
            yield deny("NeverTouchABoundary", _BOUNDARY_POLICY_CHANGES, own)


def _on_users(options: PolicyOptions) -> Iterator[Statement]:
    users = (user_arn(options.partition, options.account_id, options.path, "*"),)
    used = options.actions
    yield Statement("NewUsers", ("iam:CreateUser",), users, _all(_GETS_AN_OWNER, _bounded(options)))
    if "iam:CreateUser" in used:
        # A user who is just being made bears no tags yet, and TagUser knows of no boundary.
        yield Statement("TagNewUsers", ("iam:TagUser",), users, _IS_NEW)
    if "AdoptUser" in options.served:
        yield Statement("AdoptUsers", ("iam:TagUser",), users, _GETS_AN_OWNER_ALONE)
    owned = [*_OWNED_USERS, *(["iam:TagUser"] if "iam:UpdateUser" in used else [])]
    if not options.boundaries:
        # Only to undo a boundary that was just given to somebody who had none.
        owned.append("iam:DeleteUserPermissionsBoundary")
    yield Statement("OwnedUsers", tuple(sorted(owned)), users, _HAS_AN_OWNER)
    yield Statement(
        "GrantInline",
        ("iam:PutUserPermissionsBoundary", "iam:PutUserPolicy"),
        users,
        _all(_HAS_AN_OWNER, _bounded(options)),
    )
    yield Statement(
        "GrantManaged",
        ("iam:AttachUserPolicy",),
        users,
        _all(_HAS_AN_OWNER, _bounded(options), _allowed_policy(options)),
    )


def _on_groups(options: PolicyOptions) -> Iterator[Statement]:
    names = options.allowed_groups or ("/*",)
    arns = (group_arn(options.partition, options.account_id, "/", name.removeprefix("/")) for name in names)
    groups = tuple(dict.fromkeys(arns))
    manage = ("iam:CreateGroup", "iam:DeleteGroup", "iam:DeleteGroupPolicy", "iam:DetachGroupPolicy")
    yield Statement("GroupMembers", ("iam:AddUserToGroup", "iam:RemoveUserFromGroup"), groups)
    yield Statement("Groups", manage, groups)
    yield Statement("GrantToGroups", ("iam:AttachGroupPolicy",), groups, _allowed_policy(options))


def _on_policies(options: PolicyOptions) -> Iterator[Statement]:
    own = (policy_arn(options.partition, options.account_id, "/", "*"),)
    yield Statement("NewPolicies", ("iam:CreatePolicy", "iam:TagPolicy"), own, _GETS_AN_OWNER)
    yield Statement("OwnedPolicies", ("iam:DeletePolicy", "iam:DeletePolicyVersion"), own, _HAS_AN_OWNER)


def _on_devices(options: PolicyOptions) -> Iterator[Statement]:
    devices = (mfa_device_arn(options.partition, options.account_id, "*"),)
    yield Statement("NewMfaDevices", ("iam:CreateVirtualMFADevice", "iam:TagMFADevice"), devices, _GETS_AN_OWNER)
    # Users make devices of their own, which bear no tags; IAM deletes none that is enabled.
    yield Statement("MfaDevices", ("iam:DeleteVirtualMFADevice",), devices)


def _using(statement: Statement, used: frozenset[str]) -> Statement:
    return replace(statement, actions=tuple(action for action in statement.actions if action in used))


def _bounded(options: PolicyOptions) -> Condition:
    return {"ArnEquals": {"iam:PermissionsBoundary": _one_or_more(options.boundaries)}} if options.boundaries else {}


def _allowed_policy(options: PolicyOptions) -> Condition:
    """A forced password reset attaches a policy of AWS, which grants no more than to change one's own password."""
    if not options.allowed_policies:
        return {}
    reset = aws_managed_policy_arn(options.partition, _RESET_POLICY)
    return {"ArnLike": {"iam:PolicyARN": _one_or_more(tuple(dict.fromkeys((*options.allowed_policies, reset))))}}


def _all(*conditions: Condition) -> Condition:
    """Join conditions of different operators: all must hold."""
    return {operator: keys for condition in conditions for operator, keys in condition.items()}


def _one_or_more(values: Sequence[str]) -> str | Sequence[str]:
    return values[0] if len(values) == 1 else values


# What IAM counts.


def size(document: Document) -> int:
    """Count the characters as IAM does, without white space."""
    return len("".join(json.dumps(document).split()))


def _policy(parts: Sequence[Statement]) -> Document:
    return {"Version": "2012-10-17", "Statement": [part.to_document() for part in parts]}


def _fits(*parts: Statement) -> bool:
    return size(_policy(parts)) <= MAXIMUM_SIZE


def _packed(parts: Sequence[Statement]) -> list[Document]:
    """Put the statements into as few documents as their order allows."""
    packed: list[list[Statement]] = []
    for part in parts:
        if packed and _fits(*packed[-1], part):
            packed[-1].append(part)
        else:
            packed.append([part])
    return [_policy(document) for document in packed]


def _fitting(statement: Statement) -> list[Statement]:
    """Cut a statement that is too long for a document into several, which together say the same."""
    if _fits(statement):
        return [statement]
    parts = list(_cut(statement))
    return [replace(part, sid=f"{part.sid}{number}") for number, part in enumerate(parts, start=1)]


def _cut(statement: Statement) -> Iterator[Statement]:
    if _fits(statement):
        yield statement
        return
    for half in _halves(statement):
        yield from _cut(half)


def _halves(statement: Statement) -> list[Statement]:
    """Halve the longest list: its values are alternatives, so either half stands alone."""
    lists = [
        (len(values), operator, key)
        for operator, keys in (statement.condition or {}).items()
        for key, values in keys.items()
        if not isinstance(values, str)
    ]
    longest, operator, key = max(lists, default=(1, "", ""))
    if len(statement.resources) >= longest:
        return [replace(statement, resources=half) for half in _halved(statement.resources)]
    condition = statement.condition or {}
    return [
        replace(statement, condition={**condition, operator: {**condition[operator], key: _one_or_more(half)}})
        for half in _halved(tuple(condition[operator][key]))
    ]


def _halved(values: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    middle = len(values) // 2
    return values[:middle], values[middle:]


# What options are refused.


def _check(options: PolicyOptions) -> None:
    """Refuse what would make a policy that IAM does not take, or that means something else than was meant."""
    _require("--account", [options.account_id], r"[0-9]{12}", "must be 12 digits")
    _require("--path", [options.path], r"/([!-)+-~]{1,510}/)?", "must begin and end with / and have no *")
    arn = f"arn:{options.partition}:iam::([0-9]{{12}}|aws):policy/"
    _require("--boundary", options.boundaries, rf"{arn}[\w+=,.@/-]+", "must be the ARN of a policy, without *")
    _require("--allow-policy", options.allowed_policies, rf"{arn}[\w+=,.@/*?-]+", "must be the ARN of a policy")
    _require("--allow-group", options.allowed_groups, r"/?[\w+=,.@/*?-]+", "must be a group, with its path if any")
    unknown = sorted(set(options.rpcs) - RPC_ACTIONS.keys())
    if unknown:
        raise PolicyOptionError(f"--rpc: there is no {', '.join(unknown)}")


def _require(option: str, values: Iterable[str], pattern: str, problem: str) -> None:
    for value in values:
        if not re.fullmatch(pattern, value, re.ASCII):
            raise PolicyOptionError(f"{option}: {problem}")
        if len(value) > LONGEST_VALUE:
            raise PolicyOptionError(f"{option}: longer than any ARN of IAM")
