"""How a user differs from what was asked for it, and what a second look has to have told of each difference."""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.chaos.account import Account
from tests.chaos.clients import Holding
from tests.chaos.wishes import DOCUMENT, TEAM, THERE_BEFORE, Expected, Wish, policy_arn

OWN_TAGS = "identity-provisioning:"


@dataclass(frozen=True)
class Difference:
    """One thing that is not as asked.

    `taken` and `left` are what a second look calls it that reports that it is gone, or that it is there and nobody
    knows whose it is; empty where that is no excuse. IAM deletes by name what these are, whoever has given it.
    """

    text: str
    taken: str = ""
    left: str = ""
    duplicate_keys: int = 0
    lost_secrets: int = 0


@dataclass(frozen=True)
class UserFound:
    """One user as it is, beside what was asked for."""

    account: Account
    holding: Holding
    user: Mapping[str, Any] | None
    foreign_keys: frozenset[str]
    dump: Mapping[str, Any]

    @property
    def wish(self) -> Wish:
        """What was asked for last."""
        return self.holding.wish

    def differences(self) -> Iterator[Difference]:
        """Yield what is not as asked."""
        yield from self._answer_differs()
        expected = self._expected()
        if expected is None:
            yield from self._remains()
        elif self.user is None:
            lost = self.holding.granted and expected.has_secrets
            yield Difference("the user is not there", taken=f"user {self.wish.user_name}", lost_secrets=int(lost))
        else:
            yield from self._user_differs(expected, self.user)
            yield from self._grants_differ(expected, self.user)
            yield from self._password_differs(expected, self.user)
            yield from self._keys_differ(expected, self.user)
            yield from self._device_differs(expected)

    def _expected(self) -> Expected | None:
        """Tell how the user has to look: of whom a cancellation has left out, nothing may be there that was not."""
        is_new = self.wish.kind not in THERE_BEFORE
        return None if self.holding.left_out and is_new else self.wish.expected

    def _remains(self) -> Iterator[Difference]:
        if self.user is not None:
            yield Difference("the user is there")
        if self._device() is not None:
            yield Difference("the MFA device is there")

    def _answer_differs(self) -> Iterator[Difference]:
        wish, holding = self.wish, self.holding
        if holding.left_out:
            return
        if wish.refusal:
            told = "granted" if holding.granted else holding.reason or holding.trouble
            if holding.reason != wish.refusal:
                yield Difference(f"not refused with {wish.refusal} but: {told}")
        elif not holding.granted:
            yield Difference(f"not granted after {holding.calls} calls and {holding.seconds:.1f} s: {holding.trouble}")

    def _user_differs(self, expected: Expected, user: Mapping[str, Any]) -> Iterator[Difference]:
        """Compare what no deletion by name touches."""
        tags = {name: value for name, value in user["tags"].items() if not name.startswith(OWN_TAGS)}
        for what, has, should in (
            ("path", user["path"], expected.path),
            ("tags", tags, dict(expected.tags)),
            ("owner", user["tags"].get(f"{OWN_TAGS}owner"), TEAM),
            ("row tag", f"{OWN_TAGS}row" in user["tags"], self.wish.kind not in THERE_BEFORE),
        ):
            if has != should:
                yield Difference(f"{what}: {has} and not {should}")

    def _grants_differ(self, expected: Expected, user: Mapping[str, Any]) -> Iterator[Difference]:
        boundaries = {user["boundary"]} - {None}
        inline = {name: json.loads(document) for name, document in user["inline_policies"].items()}
        yield from self._things("permissions boundary", boundaries, _arns({expected.boundary} - {""}))
        yield from self._things("group", map(str.lower, user["groups"]), map(str.lower, expected.groups))
        yield from self._things("policy", user["attached_policies"], _arns(expected.policies))
        yield from self._things("inline policy", inline, expected.inline)
        for name in expected.inline & inline.keys():
            if inline[name] != DOCUMENT:
                yield Difference(f"inline policy {name}: {inline[name]} and not {DOCUMENT}")

    def _things(self, kind: str, has: Iterable[str], should: Iterable[str]) -> Iterator[Difference]:
        """Compare what has names."""
        there, asked = set(has), set(should)
        for name in sorted(asked - there):
            thing = self._of_user(f"{kind} {name}")
            yield Difference(f"the {thing} is not there", taken=thing)
        for name in sorted(there - asked):
            thing = self._of_user(f"{kind} {name}")
            yield Difference(f"the {thing} is there", left=thing)

    def _password_differs(self, expected: Expected, user: Mapping[str, Any]) -> Iterator[Difference]:
        profile, thing = user["login_profile"], self._of_user("console password")
        lost = int(self.holding.granted)
        if not expected.password:
            if profile is not None:
                yield Difference("a password is there", left=thing)
        elif profile is None:
            yield Difference("the password is not there", taken=thing, lost_secrets=lost)
        elif lost and not self._is_held(user["id"], profile):
            # Where a late deletion took the one, a late call may have set another one since.
            text = "the password that the client holds is not the user's"
            yield Difference(text, taken=thing, left=thing, lost_secrets=lost)

    def _is_held(self, user_id: str, profile: Mapping[str, Any]) -> bool:
        password = self.holding.credentials.console_password.password
        return bool(profile["password_sha256"] == _sha256(f"{user_id}:{password}"))

    def _keys_differ(self, expected: Expected, user: Mapping[str, Any]) -> Iterator[Difference]:
        ids = {key["id"] for key in user["access_keys"]}
        if missing := self.foreign_keys - ids:
            yield Difference(f"somebody else's keys are gone: {sorted(missing)}")
        ours = ids - self.foreign_keys
        surplus = len(ours) - expected.access_keys
        if surplus > 0:
            yield Difference(f"{surplus} keys too many: {sorted(ours)}", duplicate_keys=surplus)
        if surplus < 0:
            yield Difference(f"{-surplus} access keys are not there")
        lost = expected.access_keys - self._working_keys() if self.holding.granted else 0
        if lost > 0:
            yield Difference(f"{lost} access keys that the client should hold do not work", lost_secrets=lost)

    def _working_keys(self) -> int:
        held = [holding.credentials.access_key for holding in (*self.holding.earlier, self.holding)]
        return sum(
            self.account.key_works(key.access_key_id, key.secret_access_key, self.wish.user_name)
            for key in held
            if key.secret_access_key
        )

    def _device_differs(self, expected: Expected) -> Iterator[Difference]:
        device = self._device()
        if (device is not None) != expected.mfa_device:
            yield Difference(f"MFA device: {device is not None} and not {expected.mfa_device}")
        if not (expected.mfa_device and self.holding.granted):
            return
        if device is None or device["seed_sha256"] != _sha256(self.holding.credentials.mfa_device.base32_seed):
            yield Difference("the seed that the client holds is not the device's", lost_secrets=1)

    def _device(self) -> Mapping[str, Any] | None:
        serial = f":mfa/{self.wish.user_name}"
        devices: list[Mapping[str, Any]] = self.dump["virtual_mfa_devices"]
        return next((device for device in devices if device["serial_number"].endswith(serial)), None)

    def _of_user(self, thing: str) -> str:
        return f"{thing} of {self.wish.user_name}"


def _arns(names: Collection[str]) -> Iterator[str]:
    return map(policy_arn, names)


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
