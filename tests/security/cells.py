"""Compares the authorizer, with the shipped example, to the oracle: `python -m tests.security.cells`.

Every caller calls every RPC in every account with every kind of plan about every kind of user, each in some of the
states that a user can be in.
"""

import asyncio
import itertools
import json
import random
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from identity_service.adapters.authorization import FileAuthorizer
from identity_service.application.gate import Gate
from identity_service.application.ledger import Denial, Ledger
from identity_service.application.planners.planned import PlannedMutation
from identity_service.domain import tags, target
from identity_service.domain.entities import UserRecord, UserSnapshot
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.plan import Plan
from identity_service.domain.planning.self_management import INLINE_POLICY_NAME, self_management_document
from identity_service.domain.request import (
    Body,
    Mutation,
    SelfManagement,
    UserAdoption,
    UserChange,
)
from identity_service.domain.steps import (
    AddUserToGroup,
    AttachUserPolicy,
    CreateAccessKey,
    CreateGroup,
    CreateLoginProfile,
    CreatePolicy,
    CreateUser,
    CreateVirtualMfaDevice,
    DeleteAccessKey,
    DeleteUser,
    DeleteUserPolicy,
    DetachUserPolicy,
    PutUserPermissionsBoundary,
    PutUserPolicy,
    RemoveUserFromGroup,
    Step,
    TagUser,
    UpdateUser,
)
from identity_service.rpc.services import RPC_NAMES
from tests.security.oracle import BUILD_ACCOUNT, CALLERS, PARTNER_ACCOUNT, Cell, Gift, is_allowed

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "authorization"
ACCOUNTS = (BUILD_ACCOUNT, PARTNER_ACCOUNT, "999999999999")
USERS = (("ana.lima", "/people/"), ("ci-runner", "/machines/"), ("partner-umbra", "/partners/north/"), ("Root", "/"))
OWN = "own"
STATES_EACH = 2
STATES = (
    (OWN, "TeamBoundary"),
    (OWN, "PartnerBoundary"),
    (OWN, ""),
    ("another-team", "TeamBoundary"),
    ("", "PartnerBoundary"),
    ("", "TeamBoundary"),
    (OWN, "TeamBoundary"),
)
"""Owner and boundary; seven, so that they come round to every combination in another order."""
AWS_POLICIES = ("ReadOnlyAccess", "IAMUserChangePassword", "IAMReadOnlyAccess", "AdministratorAccess")
GIFTS = (
    Gift("make"),
    Gift("key"),
    Gift("password", "generated, to be reset"),
    Gift("password", "generated, to be kept"),
    Gift("password", "custom"),
    Gift("mfa"),
    *(Gift("group", name) for name in ("Developers", "analysts", "Admins", "PartnerUploads")),
    *(Gift("policy", name) for name in (*AWS_POLICIES, "ci/Deploy", "Deploy")),
    Gift("inline"),
    Gift("inline", "own credentials"),
    Gift("self-management"),
    *(Gift("bound", name) for name in ("TeamBoundary", "PartnerBoundary", "NoBoundary")),
    Gift("tag"),
    *(Gift("rename", name) for name in ("ana.souza", "Administrator")),
    *(Gift("move", path) for path in ("/people/south/", "/")),
    Gift("adopt"),
    *(Gift("copy", whose) for whose in ("own", "another's", "nobody's")),
    Gift("make-group", "Admins"),
    Gift("make-policy", "NoBoundary"),
    Gift("teardown"),
    Gift("take-key"),
    *(Gift("take-group", name) for name in ("Developers", "Quarantine", "PartnerUploads")),
    *(Gift("take-policy", name) for name in ("ReadOnlyAccess", "DenyEverything")),
    Gift("take-inline"),
)


def all_cells() -> Iterator[Cell]:
    """Yield every combination of all but states, of which each combination has the next few in turn."""
    callers = (*CALLERS, "spiffe://example.org/stranger")
    states = itertools.cycle(STATES)
    for caller, rpc, account in itertools.product(callers, sorted(RPC_NAMES), ACCOUNTS):
        team = CALLERS.get(caller, "nobody")
        gifts = GIFTS if caller in CALLERS else GIFTS[:1]
        for gift, (name, path) in itertools.product(gifts, USERS):
            for owner, boundary in itertools.islice(states, STATES_EACH):
                yield Cell(caller, rpc, account, gift, name, path, team if owner == OWN else owner, boundary)


def some_cells(number: int, seed: int) -> list[Cell]:
    """Draw some of all cells, half of them among those that are allowed, which are few."""
    drawn = random.Random(seed)  # noqa: S311 - a sample, no secret
    cells = list(all_cells())
    allowed = [cell for cell in cells if is_allowed(cell)]
    return drawn.sample(allowed, min(len(allowed), number // 2)) + drawn.sample(cells, number // 2)


class Judge:
    """Asks the authorizer by the same gate that every mutation passes."""

    def __init__(self) -> None:
        self._authorizer = FileAuthorizer(EXAMPLE)
        self._gate = Gate(self._authorizer, cast(Ledger, _NoLedger()))

    async def allows(self, cell: Cell) -> bool:
        """Tell whether the plan of a cell passes both questions."""
        try:
            caller = self._authorizer.identify(cell.caller)
            planned = planned_mutation(cell, caller.team)
            mutation = Mutation(
                cell.rpc, cell.account, "", validate_only=False, expected_plan_digest="", body=body(cell)
            )
            await self._gate.may_ask(caller, mutation, cell.account)
            await self._gate.may_have(caller, mutation, planned)
        except IdentityError as error:
            if error.reason not in (Reason.CALLER_NOT_ALLOWED, Reason.NOT_OWNER):
                raise
            return False
        return True


class _NoLedger:
    async def record_denial(self, denial: Denial) -> None:
        """Forget it."""


def body(cell: Cell) -> Body:
    """Return a body of the kind that the RPC has, as far as it matters."""
    return UserAdoption(cell.name) if cell.rpc == "AdoptUser" else UserChange(cell.name)


def planned_mutation(cell: Cell, team: str) -> PlannedMutation:
    """Build the plan of a cell, and the things as they are."""
    makes = cell.gift.kind == "make"
    untouched = cell.gift.kind in ("make-group", "make-policy")
    user = None if makes or untouched else _record(cell.account, cell.name, cell.path, cell.owner, cell.boundary)
    copied = None
    if cell.gift.kind == "copy":
        whose = {"own": team, "another's": "another-team", "nobody's": ""}[cell.gift.value]
        copied = _record(cell.account, "model", cell.path, whose, cell.boundary)
    return PlannedMutation(
        plan=Plan(cell.account, target.user(cell.name), steps=tuple(_steps(cell, team))),
        before=UserSnapshot(user) if user else None,
        target_tags=user.tags if user else None,
        copied_from=copied,
    )


@lru_cache(maxsize=10_000)
def _record(account: str, name: str, path: str, owner: str, boundary: str) -> UserRecord:
    its_tags = {tags.OWNER: owner} if owner else {}
    made_at = datetime(2026, 1, 2, tzinfo=UTC)
    bounded = _policy(account, boundary) if boundary else None
    return UserRecord(name, "AIDA", f"arn:aws:iam::{account}:user{path}{name}", path, made_at, bounded, its_tags)


def _policy(account: str, name: str) -> str:
    return f"arn:aws:iam::{'aws' if name in AWS_POLICIES else account}:policy/{name}"


def _own_keys(arn: str) -> str:
    statement = {"Effect": "Allow", "Action": "iam:CreateAccessKey", "Resource": arn}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _steps(cell: Cell, team: str) -> Iterable[Step]:
    arn = f"arn:aws:iam::{cell.account}:user{cell.path}{cell.name}"
    on: dict[str, Any] = {"user_name": cell.name, "user_arn": arn, "round": 1}
    value = cell.gift.value
    group: dict[str, Any] = {"group_name": value, "group_arn": f"arn:aws:iam::{cell.account}:group/{value}"}
    policy = _policy(cell.account, value)
    match cell.gift.kind:
        case "make":
            boundary = _policy(cell.account, cell.boundary) if cell.boundary else None
            its_tags = {tags.ROW: "row", tags.OWNER: team}
            return [CreateUser(**on, path=cell.path, boundary_arn=boundary, tags=its_tags)]
        case "key":
            return [CreateAccessKey(**on)]
        case "password":
            return [CreateLoginProfile(**on, generated=value.startswith("generated"), reset_required="reset" in value)]
        case "mfa":
            return [CreateVirtualMfaDevice(**on, device_name="d", device_arn=f"arn:aws:iam::{cell.account}:mfa/d")]
        case "group":
            return [AddUserToGroup(**on, **group)]
        case "policy":
            return [AttachUserPolicy(**on, policy_arn=policy)]
        case "inline":
            return [PutUserPolicy(**on, policy_name="p", document=_own_keys(arn) if value else "{}")]
        case "self-management":
            document = self_management_document(SelfManagement.PASSWORD, "aws", cell.account, arn)
            return [PutUserPolicy(**on, policy_name=INLINE_POLICY_NAME, document=document)]
        case "bound":
            return [PutUserPermissionsBoundary(**on, boundary_arn=policy)]
        case "tag":
            return [TagUser(**on, tags={"a": "b"})]
        case "rename":
            return [UpdateUser(**on, new_user_name=value, new_path=None)]
        case "move":
            return [UpdateUser(**on, new_user_name=None, new_path=value)]
        case "adopt":
            return [TagUser(**on, tags={tags.OWNER: team})]
        case "copy":
            return [AttachUserPolicy(**on, policy_arn=_policy(cell.account, "ReadOnlyAccess"))]
        case "make-group":
            return [CreateGroup(**group, round=1, path="/")]
        case "make-policy":
            return [CreatePolicy(policy_arn=policy, round=1, policy_name=value, path="/", text="", document="{}")]
        case "teardown":
            left = {**group, "group_name": "Quarantine", "group_arn": f"arn:aws:iam::{cell.account}:group/Quarantine"}
            return [DeleteAccessKey(**on, access_key_id="AKIA"), RemoveUserFromGroup(**on, **left), DeleteUser(**on)]
        case "take-key":
            return [DeleteAccessKey(**on, access_key_id="AKIA")]
        case "take-group":
            return [RemoveUserFromGroup(**on, **group)]
        case "take-policy":
            return [DetachUserPolicy(**on, policy_arn=policy)]
        case "take-inline":
            return [DeleteUserPolicy(**on, policy_name="p")]
    raise LookupError(cell.gift.kind)


@dataclass
class Comparison:
    """What a comparison came to."""

    cells: int = 0
    allowed: int = 0
    mismatches: int = 0
    examples: list[Cell] = field(default_factory=list)


async def compare(cells: Iterable[Cell]) -> Comparison:
    """Ask both about each cell."""
    judge, found = Judge(), Comparison()
    for cell in cells:
        expected = is_allowed(cell)
        found.cells += 1
        found.allowed += expected
        if await judge.allows(cell) is not expected:
            found.mismatches += 1
            found.examples.append(cell)
    return found


def main() -> int:
    """Compare all cells and print the figures; return the exit code."""
    began = time.perf_counter()
    found = asyncio.run(compare(all_cells()))
    seconds = time.perf_counter() - began
    print(f"cells={found.cells} mismatches={found.mismatches} allowed={found.allowed} seconds={seconds:.0f}")
    for cell in found.examples[:10]:
        print(f"mismatch: {cell}", file=sys.stderr)
    return 1 if found.mismatches else 0


if __name__ == "__main__":
    sys.exit(main())
