"""What the shipped example of authorization is meant to say, once more and in another way: plain Python, no Cedar.

It knows nothing of the authorizer, its files or its order of asking: only what each team is for. Where the two
disagree, one of them is wrong.
"""

from dataclasses import dataclass

BUILD_ACCOUNT, PARTNER_ACCOUNT = "123456789012", "210987654321"
CALLERS = {
    "spiffe://example.org/onboarding-bot": "people-team",
    "spiffe://example.org/ci/runner-manager": "ci-platform",
    "spiffe://example.org/partner-portal": "partner-integrations",
    "spiffe://example.org/demo": "try-out",
}


@dataclass(frozen=True)
class Gift:
    """One thing that a plan does: its kind, and what of it matters."""

    kind: str
    value: str = ""


@dataclass(frozen=True)
class Cell:
    """A caller calls an RPC in an account; its plan does one thing to a user.

    `owner` is a team, "" for nobody; `boundary` a policy's name, "" for none. A user that is to be made is made in
    `path` with `boundary`, and its owner is the caller's team.
    """

    caller: str
    rpc: str
    account: str
    gift: Gift
    name: str
    path: str
    owner: str
    boundary: str


def is_allowed(cell: Cell) -> bool:
    """Tell whether the caller may have the plan."""
    team = CALLERS.get(cell.caller)
    if team is None or not owns(team, cell):
        return False
    match team:
        case "people-team":
            return people(cell)
        case "ci-platform":
            return machines(cell)
        case "partner-integrations":
            return partners(cell)
        case _:
            return team == "try-out"


def owns(team: str, cell: Cell) -> bool:
    """Tell whether what is changed is the team's own, or nobody's and to be adopted; what is made is the maker's."""
    if cell.gift.kind in ("make", "make-group", "make-policy"):
        return True
    return cell.owner == team or (cell.rpc == "AdoptUser" and cell.owner == "")


def people(cell: Cell) -> bool:
    """Judge the team that makes people: with generated passwords, in two groups, without documents and keys."""
    calls = {
        *("GetAccount", "GetUser", "ListUsers", "ListMfaDevices", "ProvisionUser", "UpdateUser", "AdoptUser"),
        *("ResetPassword", "DisableConsoleAccess", "RevokeAllCredentials", "DeleteUser"),
        *("CreateMfaDevice", "EnableMfaDevice", "DeleteMfaDevice"),
    }
    gift = cell.gift
    if cell.rpc not in calls or gift.kind in ("make-group", "make-policy") or not cell.path.startswith("/people/"):
        return False
    if takes(gift):
        return gift.kind != "take-inline" and gift.value in ("", "Developers", "Analysts", "ReadOnlyAccess")
    within = "TeamBoundary" in (cell.boundary, gift.value if gift.kind == "bound" else "")
    permitted = {
        "make": cell.name in ("ana.lima", "ana"),
        "password": gift.value == "generated, to be reset",
        "mfa": True,
        "group": gift.value in ("Developers", "Analysts", "analysts"),
        "policy": gift.value in ("ReadOnlyAccess", "IAMUserChangePassword"),
        "self-management": True,
        "bound": gift.value == "TeamBoundary",
        "tag": True,
        "rename": gift.value == "ana.souza",
        "move": gift.value.startswith("/people/"),
        "adopt": True,
        "copy": gift.value == "own",
    }
    return within and permitted.get(gift.kind, False)


def machines(cell: Cell) -> bool:
    """Judge the team that makes build machines: with access keys, own policies and documents, in one account.

    No document lets a machine manage its own credentials.
    """
    calls = {
        *("GetAccount", "GetUser", "CreateUser", "CreateCredentials", "AssignPermissions", "RotateAccessKey"),
        *("UpdateAccessKey", "DeleteAccessKey", "DeleteUser"),
    }
    gift = cell.gift
    if cell.rpc not in calls or cell.account != BUILD_ACCOUNT or not cell.path.startswith("/machines/"):
        return False
    if takes(gift):
        return gift.kind in ("teardown", "take-key", "take-inline")
    within = "TeamBoundary" in (cell.boundary, gift.value if gift.kind == "bound" else "")
    permitted = {
        "make": cell.name.startswith("ci-"),
        "key": True,
        "policy": gift.value in ("ci/Deploy", "IAMReadOnlyAccess"),
        "inline": gift.value == "",
        "bound": gift.value == "TeamBoundary",
    }
    return within and permitted.get(gift.kind, False)


def partners(cell: Cell) -> bool:
    """Judge the team that makes partners' users whole, and only takes them away afterwards."""
    calls = {"GetAccount", "GetUser", "ProvisionUser", "RevokeAllCredentials", "DeleteUser"}
    gift = cell.gift
    accounts = (BUILD_ACCOUNT, PARTNER_ACCOUNT)
    if cell.rpc not in calls or cell.account not in accounts or not cell.path.startswith("/partners/"):
        return False
    if takes(gift):
        # A teardown in which a group is left belongs to DeleteUser; a key is taken at any time.
        return (
            gift.kind == "take-key"
            or (gift.kind == "teardown" and cell.rpc == "DeleteUser")
            or (gift.kind == "take-group" and gift.value == "PartnerUploads" and cell.rpc == "DeleteUser")
        )
    within = "PartnerBoundary" in (cell.boundary, gift.value if gift.kind == "bound" else "")
    permitted = {
        "make": cell.name.startswith("partner-"),
        "key": True,
        "group": gift.value == "PartnerUploads",
        "bound": gift.value == "PartnerBoundary",
    }
    return within and permitted.get(gift.kind, False)


def takes(gift: Gift) -> bool:
    """Tell whether a plan only takes."""
    return gift.kind in ("teardown", "take-key", "take-group", "take-policy", "take-inline")
