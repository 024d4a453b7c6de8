"""What each of the shipped example's teams may do and may not, written out."""

import pytest

from tests.security.cells import Judge
from tests.security.oracle import BUILD_ACCOUNT, PARTNER_ACCOUNT, Cell, Gift

PEOPLE = "spiffe://example.org/onboarding-bot"
MACHINES = "spiffe://example.org/ci/runner-manager"
PARTNERS = "spiffe://example.org/partner-portal"


def person(rpc: str, gift: Gift, owner: str = "people-team", boundary: str = "TeamBoundary") -> Cell:
    """The people team does something to one of its people."""
    return Cell(PEOPLE, rpc, BUILD_ACCOUNT, gift, "ana.lima", "/people/", owner, boundary)


def machine(rpc: str, gift: Gift, account: str = BUILD_ACCOUNT, boundary: str = "TeamBoundary") -> Cell:
    """The CI platform does something to one of its machines."""
    return Cell(MACHINES, rpc, account, gift, "ci-runner", "/machines/", "ci-platform", boundary)


def partner(rpc: str, gift: Gift, account: str = PARTNER_ACCOUNT, owner: str = "partner-integrations") -> Cell:
    """The partner team does something to a partner's user."""
    return Cell(PARTNERS, rpc, account, gift, "partner-umbra", "/partners/", owner, "PartnerBoundary")


ALLOWED = {
    "makes a colleague": person("ProvisionUser", Gift("make")),
    "gives a password that nobody knows": person("ProvisionUser", Gift("password", "generated, to be reset")),
    "puts a colleague into a team": person("ProvisionUser", Gift("group", "Developers")),
    "gives what another colleague has": person("ProvisionUser", Gift("copy", "own")),
    "adopts a colleague made by hand": person("AdoptUser", Gift("adopt"), owner=""),
    "deletes a colleague": person("DeleteUser", Gift("teardown")),
    "makes a machine": machine("CreateUser", Gift("make")),
    "gives a machine a key": machine("CreateCredentials", Gift("key")),
    "gives a machine its own document": machine("AssignPermissions", Gift("inline")),
    "gives a machine a policy of the platform": machine("AssignPermissions", Gift("policy", "ci/Deploy")),
    "makes a partner's user": partner("ProvisionUser", Gift("make")),
    "gives a partner's user a key": partner("ProvisionUser", Gift("key")),
    "cuts a partner off": partner("RevokeAllCredentials", Gift("take-key")),
    "deletes a partner's user": partner("DeleteUser", Gift("teardown")),
}
DENIED = {
    "a key for a colleague": person("ProvisionUser", Gift("key")),
    "a password that somebody knows": person("ProvisionUser", Gift("password", "custom")),
    "administrators": person("ProvisionUser", Gift("group", "Admins")),
    "an administrator's policy": person("ProvisionUser", Gift("policy", "AdministratorAccess")),
    "a document for a colleague": person("ProvisionUser", Gift("inline")),
    "a colleague without the boundary": person("ProvisionUser", Gift("make"), boundary=""),
    "another boundary": person("ProvisionUser", Gift("bound", "NoBoundary")),
    "what another team's user has": person("ProvisionUser", Gift("copy", "another's")),
    "what nobody's user has": person("ProvisionUser", Gift("copy", "nobody's")),
    "another team's user": person("DeleteUser", Gift("teardown"), owner="ci-platform"),
    "nobody's user": person("DeleteUser", Gift("teardown"), owner=""),
    "the adoption of another team's user": person("AdoptUser", Gift("adopt"), owner="ci-platform"),
    "the adoption of an unbounded user": person("AdoptUser", Gift("adopt"), owner="", boundary=""),
    "a name against the rule": person("UpdateUser", Gift("rename", "Administrator")),
    "a move out of the path": person("UpdateUser", Gift("move", "/")),
    "a group of its own": person("CreateGroup", Gift("make-group", "Admins")),
    "a machine in another account": machine("CreateUser", Gift("make"), account=PARTNER_ACCOUNT),
    "a password for a machine": machine("CreateCredentials", Gift("password", "generated, to be reset")),
    "a machine that manages itself": machine("AssignPermissions", Gift("self-management")),
    "a machine in a group": machine("AssignPermissions", Gift("group", "Developers")),
    "another policy for a machine": machine("AssignPermissions", Gift("policy", "Deploy")),
    "a policy in the boundary's place": machine("CreatePolicy", Gift("make-policy", "NoBoundary")),
    "a change of a partner's user": partner("AssignPermissions", Gift("group", "PartnerUploads")),
    "a partner's user taken out of its group": partner("RevokeAllCredentials", Gift("take-group", "PartnerUploads")),
    "a partner in another account": partner("ProvisionUser", Gift("make"), account="999999999999"),
    "another team's partner": partner("DeleteUser", Gift("teardown"), owner="people-team"),
}


@pytest.fixture(scope="module")
def judge() -> Judge:
    """The shipped example."""
    return Judge()


@pytest.mark.parametrize("cell", ALLOWED.values(), ids=ALLOWED.keys())
async def test_a_team_may_do_its_work(judge: Judge, cell: Cell) -> None:
    """What a team is there for is allowed."""
    assert await judge.allows(cell)


@pytest.mark.parametrize("cell", DENIED.values(), ids=DENIED.keys())
async def test_a_team_may_do_nothing_else(judge: Judge, cell: Cell) -> None:
    """Whatever is near to its work and is not its work is refused."""
    assert not await judge.allows(cell)
