"""What a policy document allows with which its holder can gain more rights."""

import re

from identity_service.domain.policy_documents import as_list, statements
from identity_service.domain.policy_patterns import VARIABLE, is_like
from identity_service.domain.policy_rights import covers

OWN_NAME = re.compile(r"\$\{aws:username\}", re.IGNORECASE)

ESCALATING_ACTIONS = {
    "iam:AddUserToGroup": "group",
    "iam:AttachGroupPolicy": "group",
    "iam:AttachRolePolicy": "role",
    "iam:AttachUserPolicy": "user",
    "iam:CreateAccessKey": "user",
    "iam:CreateLoginProfile": "user",
    "iam:CreatePolicyVersion": "policy",
    "iam:DeleteRolePermissionsBoundary": "role",
    "iam:DeleteUserPermissionsBoundary": "user",
    "iam:PassRole": "role",
    "iam:PutGroupPolicy": "group",
    "iam:PutRolePermissionsBoundary": "role",
    "iam:PutRolePolicy": "role",
    "iam:PutUserPermissionsBoundary": "user",
    "iam:PutUserPolicy": "user",
    "iam:SetDefaultPolicyVersion": "policy",
    "iam:UpdateAssumeRolePolicy": "role",
    "iam:UpdateLoginProfile": "user",
}
"""Actions of IAM with which somebody who has them can come to have more, and the kind of resource that each is
authorized on."""

SELF_GRANTING_ACTIONS = {
    "iam:AttachUserPolicy",
    "iam:DeleteUserPermissionsBoundary",
    "iam:PutUserPermissionsBoundary",
    "iam:PutUserPolicy",
}
"""Those that lead to more rights on the own user already; own keys and passwords do not."""

ANYBODY = ("any-name-at-all", "any/path/at/all/any-name-at-all")
"""Names that no document has in mind, on no path and on one: a pattern that fits one of them fits nearly all."""

BOUNDARY_OPERATORS = {"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike"}
"""Without IfExists, since calls that know no boundary, such as CreateAccessKey, would pass; without negation."""


def escalating_actions(document: str, within: str | None = None) -> tuple[str, ...]:
    """Return the actions that lead to more rights and that a document allows on users, roles... of any name.

    `within` is the document of the boundary that its holder has: what that does not allow as widely leads to nothing.

    No evaluation of IAM: a hint for a reviewer, which rather warns once too often.
    * Resource is wide if its pattern fits names that nobody thought of: `*`, `arn:aws:iam::123456789012:*`, `user/*`.
      A literal path or beginning of a name, `user/ci/*`, is taken for a limit that somebody chose. NotResource is wide
      unless it excepts these names. A policy variable in the name, `user/${aws:username}`, is a limit as well, but not
      for what lets users grant themselves more.
    * Partition and account are not looked at: the other accounts of a grant are out of its reach in any case.
    * Action and NotAction count with their wildcards.
    * A Condition does not take the warning away, since what it asks for, be it MFA, an address or a tag, is mostly
      about how and when the caller comes and not about what is gained. The one exception is a condition that demands
      a certain `iam:PermissionsBoundary`: AWS's own way of delegating without escalation.
    * A Deny counts if it has no condition and covers the same names.
    """
    limits = [_Reach(text) for text in (document, within) if text is not None]
    return tuple(
        action
        for action, kind in ESCALATING_ACTIONS.items()
        if any(all(limit.has(action, f"{kind}/{name}") for limit in limits) for name in ANYBODY)
    )


class _Reach:
    """What a document allows of what anybody has in mind."""

    def __init__(self, document: str) -> None:
        found = list(statements(document))
        self._allowing = [s for s in found if s.get("Effect") == "Allow" and not _demands_boundary(s.get("Condition"))]
        self._denying = [s for s in found if s.get("Effect") == "Deny" and not s.get("Condition")]

    def has(self, action: str, resource: str) -> bool:
        """Tell whether it allows an action on a resource such as `user/ana`."""
        return any(_reaches(s, action, resource) for s in self._allowing) and not any(
            covers(s, action) and _fits_widely(s, resource) for s in self._denying
        )


def _reaches(statement: dict[str, object], action: str, resource: str) -> bool:
    own = "*" if action in SELF_GRANTING_ACTIONS else None
    return covers(statement, action) and _fits_widely(statement, resource, own_name=own)


def _fits_widely(statement: dict[str, object], resource: str, own_name: str | None = None) -> bool:
    """Tell whether a statement is about a resource such as `user/ana`; `own_name` stands in for aws:username."""
    if "NotResource" in statement:
        return not any(_names(str(pattern), resource) for pattern in as_list(statement["NotResource"]))
    patterns = [str(pattern) for pattern in as_list(statement.get("Resource"))]
    if own_name is not None:
        patterns = [OWN_NAME.sub(own_name, pattern) for pattern in patterns]
    return any(_names(pattern, resource) for pattern in patterns)


def _names(pattern: str, resource: str) -> bool:
    """Tell whether an ARN's pattern fits a resource of IAM in whatever partition and account.

    A policy variable fits no name; taken out, its colons do not count as the ARN's. Where parts are missing, as in `*`
    and `arn:aws:iam::*`, the star at the end stands for them.
    """
    parts = VARIABLE.sub("\0", pattern).split(":", 5)
    named = is_like(resource, parts[5]) if len(parts) == 6 else pattern.endswith("*")
    return named and (len(parts) < 3 or is_like("iam", parts[2]))


def _demands_boundary(condition: object) -> bool:
    """Tell whether a condition demands a certain permissions boundary."""
    if not isinstance(condition, dict):
        return False
    return any(
        operator.lower() in BOUNDARY_OPERATORS
        and key.lower() == "iam:permissionsboundary"
        and "*" not in as_list(value)
        for operator, keys in condition.items()
        if isinstance(keys, dict)
        for key, value in keys.items()
    )
