"""The judge: compares the account with what was asked, user by user, and counts what must not be there."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.account import Account, Prepared
from tests.chaos.clients import Holding
from tests.chaos.wishes import (
    BOUNDARY,
    DOCUMENT,
    GROUPS,
    POLICIES,
    TEAM,
    THERE_BEFORE,
    Expected,
    Kind,
    Wish,
    policy_arn,
)

OWN_TAGS = "identity-provisioning:"


@dataclass
class Verdict:
    """What a run came to, with a complaint for everything that is not as it should be.

    `left_out` are users whom a cancellation was in time for.
    """

    users_asked: int = 0
    users_ok: int = 0
    orphans: int = 0
    duplicate_keys: int = 0
    lost_secrets: int = 0
    plaintext_hits: int = 0
    left_out: int = 0
    complaints: list[str] = field(default_factory=list)

    def complain(self, about: str) -> None:
        """Note what is wrong."""
        self.complaints.append(about)

    @property
    def is_clean(self) -> bool:
        """Whether everything is as it should be."""
        wrong = self.orphans + self.duplicate_keys + self.lost_secrets + self.plaintext_hits
        return self.users_ok == self.users_asked and not wrong and not self.complaints


def judge(account: Account, prepared: Prepared, holdings: Sequence[Holding]) -> Verdict:
    """Look at the account and at what the clients hold."""
    verdict = Verdict(users_asked=len(holdings), left_out=sum(holding.left_out for holding in holdings))
    dump = account.aws.dump()
    users = {user["name"]: user for user in dump["users"]}
    for holding in holdings:
        foreign = prepared.foreign_keys.get(holding.wish.user_name, frozenset())
        found = _Found(account, holding, users.get(holding.wish.user_name), foreign, dump)
        wrong = found.differences(verdict)
        verdict.users_ok += not wrong
        for difference in wrong:
            verdict.complain(f"{holding.wish}: {difference}")
    _count_orphans(verdict, dump, [holding.wish for holding in holdings])
    return verdict


@dataclass(frozen=True)
class _Found:
    """One user as it is, beside what was asked for."""

    account: Account
    holding: Holding
    user: Mapping[str, Any] | None
    foreign_keys: frozenset[str]
    dump: Mapping[str, Any]

    @property
    def wish(self) -> Wish:
        """What was asked for."""
        return self.holding.wish

    def differences(self, verdict: Verdict) -> list[str]:
        """Say what is not as asked, and count keys and secrets."""
        wrong = self._answer_differs()
        expected = self._expected()
        if expected is None:
            wrong += ["the user is there"] if self.user is not None else []
            return wrong + (["the MFA device is there"] if self._device() is not None else [])
        if self.user is None:
            if self.holding.granted and expected.has_secrets:
                verdict.lost_secrets += 1
            return [*wrong, "the user is not there"]
        wrong += list(self._state_differs(expected, self.user))
        wrong += list(self._keys_differ(expected, self.user, verdict))
        lost = list(self._secrets_lost(expected, self.user)) if self.holding.granted else []
        verdict.lost_secrets += len(lost)
        return wrong + lost

    def _expected(self) -> Expected | None:
        """Tell how the user has to look: of whom a cancellation has left out, nothing may be there that was not."""
        is_new = self.wish.kind not in THERE_BEFORE
        return None if self.holding.left_out and is_new else self.wish.expected

    def _answer_differs(self) -> list[str]:
        wish, holding = self.wish, self.holding
        if holding.left_out:
            return []
        if wish.refusal:
            told = "granted" if holding.granted else holding.reason or holding.trouble
            return [] if holding.reason == wish.refusal else [f"not refused with {wish.refusal} but: {told}"]
        if holding.granted:
            return []
        return [f"not granted after {holding.calls} calls and {holding.seconds:.1f} s: {holding.trouble}"]

    def _state_differs(self, expected: Expected, user: Mapping[str, Any]) -> Iterable[str]:
        arns = {policy_arn(name) for name in expected.policies}
        boundary = policy_arn(expected.boundary) if expected.boundary else None
        tags = {name: value for name, value in user["tags"].items() if not name.startswith(OWN_TAGS)}
        inline = {name: json.loads(document) for name, document in user["inline_policies"].items()}
        profile = user["login_profile"] is not None
        for what, has, should in (
            ("path", user["path"], expected.path),
            ("tags", tags, dict(expected.tags)),
            ("owner", user["tags"].get(f"{OWN_TAGS}owner"), TEAM),
            ("row tag", f"{OWN_TAGS}row" in user["tags"], self.wish.kind not in THERE_BEFORE),
            ("boundary", user["boundary"], boundary),
            ("groups", set(user["groups"]), set(expected.groups)),
            ("policies", set(user["attached_policies"]), arns),
            ("inline policies", inline, dict.fromkeys(expected.inline, DOCUMENT)),
            ("password", profile, expected.password),
            ("MFA device", self._device() is not None, expected.mfa_device),
        ):
            if has != should:
                yield f"{what}: {has} and not {should}"

    def _keys_differ(self, expected: Expected, user: Mapping[str, Any], verdict: Verdict) -> Iterable[str]:
        ids = {key["id"] for key in user["access_keys"]}
        if missing := self.foreign_keys - ids:
            yield f"somebody else's keys are gone: {sorted(missing)}"
        ours = ids - self.foreign_keys
        surplus = len(ours) - expected.access_key
        if surplus > 0:
            verdict.duplicate_keys += surplus
            yield f"{surplus} keys too many: {sorted(ours)}"
        if surplus < 0:
            yield "the access key is not there"

    def _secrets_lost(self, expected: Expected, user: Mapping[str, Any]) -> Iterable[str]:
        issued = self.holding.credentials
        key, device = issued.access_key, self._device()
        if expected.access_key and not (
            key.secret_access_key
            and self.account.key_works(key.access_key_id, key.secret_access_key, self.wish.user_name)
        ):
            yield "the access key that the client holds does not work"
        if expected.password:
            profile = user["login_profile"] or {}
            if profile.get("password_sha256") != _sha256(f"{user['id']}:{issued.console_password.password}"):
                yield "the password that the client holds is not the user's"
        if expected.mfa_device and (device is None or device["seed_sha256"] != _sha256(issued.mfa_device.base32_seed)):
            yield "the seed that the client holds is not the device's"

    def _device(self) -> Mapping[str, Any] | None:
        serial = f":mfa/{self.wish.user_name}"
        devices: list[Mapping[str, Any]] = self.dump["virtual_mfa_devices"]
        return next((device for device in devices if device["serial_number"].endswith(serial)), None)


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


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
