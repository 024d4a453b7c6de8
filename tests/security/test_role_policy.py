"""The policy of the service's role against the known ways to more rights, with nothing of the service in between.

Whoever takes the service over, or finds a hole in its own guards, holds this role and no more.
"""

import json
from pathlib import Path as FilePath

import pytest
from botocore.exceptions import ClientError

from tests.security.paths import ANY_ROLE, PASSED, PATHS, Path
from tests.security.role_world import EVERYTHING, World, is_denying, loosened, role_policy

DOCUMENT = FilePath(__file__).resolve().parents[2] / "docs/escalation.md"
WIDE = json.loads(EVERYTHING)
GUARDS = sorted({path.guard for path in PATHS if path.guard})
CASES = [pytest.param(path, id=f"{number}-{path.row.replace(' ', '-')}") for number, path in enumerate(PATHS)]


def denied(world: World, path: Path) -> str:
    """Send a call; return the text of IAM's refusal, empty if it was allowed."""
    try:
        path.call(world.iam)
    except ClientError as error:
        if error.response["Error"]["Code"] == "AccessDenied":
            return str(error)
    return ""


@pytest.mark.parametrize("path", CASES)
def test_the_roles_own_policy_refuses(world: World, path: Path) -> None:
    """IAM denies the call, and the account is as it was."""
    world.allow(role_policy())
    before = world.aws.dump()
    assert denied(world, path)
    assert world.aws.dump() == before


@pytest.mark.parametrize("path", [case for case in CASES if is_denying(role_policy(), case.values[0].guard)])  # type: ignore[union-attr] # pytest types a parameter as any object
def test_what_is_never_allowed_stays_denied_beside_wider_policies(world: World, path: Path) -> None:
    """A role that somebody has given everything else is denied all the same, in so many words."""
    world.allow([*role_policy(), WIDE])
    assert "explicit deny" in denied(world, path)


@pytest.mark.parametrize("guard", GUARDS)
def test_each_statement_is_needed(world: World, guard: str) -> None:
    """With one statement gone or opened, a way that it stops is open: so these tests see when it is missing."""
    wider = [WIDE] if is_denying(role_policy(), guard) else []
    world.allow([*loosened(role_policy(), guard), *wider])
    assert [path.row for path in PATHS if path.guard == guard and not denied(world, path)]


def test_every_statement_that_can_be_opened_is_a_guard() -> None:
    """Each denying statement, and each that allows on conditions or on some resources only, has a way that it stops."""
    statements = [statement for policy in role_policy() for statement in policy["Statement"]]
    held = {s["Sid"] for s in statements if s["Effect"] == "Deny" or s["Resource"] != "*"}
    # Devices are held to be devices, which is no guard: see the document.
    assert held - set(GUARDS) == {"MfaDevices"}


def test_nothing_is_passed_on_or_taken(world: World) -> None:
    """IAM itself says of each way over a role or another service that the policy denies or does not allow it."""
    answer = world.admin.simulate_custom_policy(
        PolicyInputList=[json.dumps(policy) for policy in role_policy()],
        ActionNames=list(PASSED),
        ResourceArns=[ANY_ROLE],
    )
    decisions = {result["EvalActionName"]: result["EvalDecision"] for result in answer["EvaluationResults"]}
    assert decisions == dict.fromkeys(PASSED, "implicitDeny") | {"iam:PassRole": "explicitDeny"}


def test_the_document_has_a_row_for_each_way() -> None:
    """What is tested stands in docs/escalation.md under the same name, with the statement that stops it."""
    text = DOCUMENT.read_text()
    rows = {cells[1].strip(): cells for line in text.splitlines() if len(cells := line.split("|")) > 5}
    for path in PATHS:
        assert path.row in rows, path.row
        assert path.guard in rows[path.row][5], path.row
