"""The one table of IAM actions: it says what the contract's comments say, and what the server has."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from identity_service.adapters.aws_iam.operations import EFFECTS
from identity_service.domain.steps import STEPS_BY_ACTION
from identity_service.rpc import (
    account_service,
    credential_service,
    operation_service,
    permission_service,
    user_service,
)
from identity_service.rpc.not_built import not_built
from identity_service.rpc.services import RPC_NAMES
from identity_service.rpc_actions import NOT_BUILT, RPC_ACTIONS

SERVICERS = (
    account_service.AccountService,
    credential_service.CredentialService,
    operation_service.OperationService,
    permission_service.PermissionService,
    user_service.UserService,
)
WITHOUT_PERMISSION = {"iam:GetCallerIdentity"}
TAGGING = {"iam:TagPolicy"}
"""A right that IAM asks for beside that to make what bears the tags."""


@pytest.fixture(scope="module")
def comments(root: Path) -> Mapping[str, str]:
    """What each RPC's comment says after `IAM permissions:`, in one line."""
    found = {}
    for file in sorted((root / "proto/identity_provisioning/v1").glob("*_service.proto")):
        for comment, rpc in re.findall(r"((?:  //.*\n)+)  rpc (\w+)\(", file.read_text()):
            text = " ".join(line.strip().removeprefix("//").strip() for line in comment.splitlines())
            found[rpc] = text.partition("IAM permissions: ")[2]
    return found


def actions_in(rpc: str, comments: Mapping[str, str]) -> set[str]:
    """Return the actions that a comment names, and those of the RPCs that it refers to."""
    named, _, left_out = comments[rpc].partition(" without ")
    actions = set(re.findall(r"iam:\w+", named))
    for referred in re.findall(r"those of ((?:[A-Z]\w+(?:, | and )?)+)", named):
        for other in re.findall(r"[A-Z]\w+", referred):
            actions |= actions_in(other, comments)
    return actions - set(re.findall(r"iam:\w+", left_out))


def test_the_table_has_every_rpc() -> None:
    """Each RPC of the contract is there, and no other."""
    assert RPC_ACTIONS.keys() == RPC_NAMES


@pytest.mark.parametrize("rpc", sorted(RPC_ACTIONS))
def test_the_comment_says_what_the_table_says(comments: Mapping[str, str], rpc: str) -> None:
    """The permissions in an RPC's comment, with those of the RPCs that it refers to, are the table's."""
    assert comments[rpc] == "none." or actions_in(rpc, comments)
    assert actions_in(rpc, comments) == RPC_ACTIONS[rpc]


def test_what_is_not_built_is_marked() -> None:
    """The role gets nothing for an RPC that answers NOT_BUILT_YET, and everything for the others."""
    stand_ins = {name for servicer in SERVICERS for name, method in vars(servicer).items() if method is not_built}
    assert stand_ins == NOT_BUILT


def test_the_table_knows_every_call_that_the_server_can_make() -> None:
    """Each operation that the adapter sends, and each step of a plan, is an action of some built RPC."""
    built = frozenset().union(*(RPC_ACTIONS[rpc] for rpc in RPC_ACTIONS.keys() - NOT_BUILT))
    assert {f"iam:{operation}" for operation in EFFECTS} - WITHOUT_PERMISSION == built - TAGGING
    assert set(STEPS_BY_ACTION) <= built
