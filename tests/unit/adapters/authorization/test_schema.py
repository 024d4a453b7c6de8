"""The schema fits the contract and the plans: what has no action here could never be allowed, so the build fails."""

import re

from identity_service.adapters.authorization.schema import actions, rpc_actions, text
from identity_service.domain.steps import STEPS_BY_ACTION
from identity_service.rpc.services import RPC_NAMES


def test_every_rpc_has_an_action_and_every_such_action_an_rpc() -> None:
    """An RPC that the contract gets needs an action in the schema; one that it loses must not stay there."""
    assert rpc_actions() == RPC_NAMES


def test_every_step_has_an_action_and_every_such_action_a_step() -> None:
    """The same for the steps of plans, by their IAM actions; rights without an IAM action begin otherwise."""
    assert {name for name in actions() if name.startswith("iam:")} == set(STEPS_BY_ACTION)
    assert {name for name in actions() - rpc_actions() if not name.startswith("iam:")} == {
        "plan:CopyPermissions",
        "plan:TakeOwnership",
    }


def test_only_rpcs_that_change_nothing_are_reads() -> None:
    """The group `reads` is safe to give: Get, List, Check and Watch."""
    (block,) = re.findall(r'action ((?:"\w+",?\s*)+)\n  in \["reads"\]', text())
    assert re.findall(r'"(\w+)"', block)
    assert all(re.match("Get|List|Check|Watch", name) for name in re.findall(r'"(\w+)"', block))


def test_removals_give_nobody_anything() -> None:
    """The group `removals` has deletions alone, and never the boundary's."""
    declared = re.findall(r'action ((?:"[\w:]+",?\s*)+)\s*in \["removals"\]', text())
    names = {name for block in declared for name in re.findall(r'"([\w:]+)"', block)}
    assert len(names) == 16
    assert all(re.match("iam:(Delete|Detach|Deactivate|Remove)", name) for name in names)
    assert "iam:DeleteUserPermissionsBoundary" not in names
