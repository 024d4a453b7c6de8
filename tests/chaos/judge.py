"""The judge: compares the account with what was asked, user by user, and counts what must not be there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.account import Account, Prepared
from tests.chaos.clients import Holding
from tests.chaos.differences import UserFound
from tests.chaos.reports import Reports
from tests.chaos.wishes import BOUNDARY, GROUPS, POLICIES, Kind, Wish

NO_REPORTS = Reports()


@dataclass
class Verdict:
    """What a run came to, with a complaint for everything that is not as it should be.

    `left_out` are users whom a cancellation was in time for. What the design excepts is counted apart: `taken_late` is
    what a late deletion by name has taken, `left_late` what has come late; a second look has reported each.
    """

    users_asked: int = 0
    users_ok: int = 0
    orphans: int = 0
    duplicate_keys: int = 0
    lost_secrets: int = 0
    plaintext_hits: int = 0
    left_out: int = 0
    taken_late: int = 0
    left_late: int = 0
    complaints: list[str] = field(default_factory=list)

    def complain(self, about: str) -> None:
        """Note what is wrong."""
        self.complaints.append(about)

    @property
    def is_clean(self) -> bool:
        """Whether everything is as it should be."""
        wrong = self.orphans + self.duplicate_keys + self.lost_secrets + self.plaintext_hits
        return self.users_ok == self.users_asked and not wrong and not self.complaints


def judge(account: Account, prepared: Prepared, holdings: Sequence[Holding], reports: Reports = NO_REPORTS) -> Verdict:
    """Look at the account, at what the clients hold, and at what second looks have reported."""
    verdict = Verdict(users_asked=len(holdings), left_out=sum(holding.left_out for holding in holdings))
    dump = account.aws.dump()
    users = {user["name"]: user for user in dump["users"]}
    for holding in holdings:
        foreign = prepared.foreign_keys.get(holding.wish.user_name, frozenset())
        found = UserFound(account, holding, users.get(holding.wish.user_name), foreign, dump)
        _weigh(verdict, found, reports)
    _count_orphans(verdict, dump, [holding.wish for holding in holdings])
    return verdict


def _weigh(verdict: Verdict, found: UserFound, reports: Reports) -> None:
    """Count how a user differs from what was asked, or that it does not."""
    is_wrong = False
    for difference in found.differences():
        if difference.taken and difference.taken in reports.missing:
            verdict.taken_late += 1
        elif difference.left and difference.left in reports.unattributed:
            verdict.left_late += 1
        else:
            is_wrong = True
            verdict.duplicate_keys += difference.duplicate_keys
            verdict.lost_secrets += difference.lost_secrets
            verdict.complain(f"{found.wish}: {difference.text}")
    verdict.users_ok += not is_wrong


def _count_orphans(verdict: Verdict, dump: Mapping[str, Any], wishes: Sequence[Wish]) -> None:
    """Count what is there and nobody has asked for."""
    asked = {wish.user_name: wish for wish in wishes}
    serials = {f":mfa/{wish.user_name}" for wish in wishes if wish.expected and wish.expected.mfa_device}
    orphans = [
        *(f"user {user['name']}" for user in dump["users"] if not _may_be_there(asked.get(user["name"]))),
        *(f"group {group['name']}" for group in dump["groups"] if group["name"] not in GROUPS),
        *(
            f"policy {policy['arn']}"
            for policy in dump["policies"]
            if policy["arn"].rpartition("/")[2] not in (*POLICIES, BOUNDARY)
        ),
        *(
            f"MFA device {device['serial_number']}"
            for device in dump["virtual_mfa_devices"]
            if not device["serial_number"].endswith(tuple(serials))
        ),
    ]
    verdict.orphans += len(orphans)
    for orphan in orphans:
        verdict.complain(f"orphan: {orphan}")


def _may_be_there(wish: Wish | None) -> bool:
    return wish is not None and (wish.expected is not None or wish.kind is Kind.DELETION)
