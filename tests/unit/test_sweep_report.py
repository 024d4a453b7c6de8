"""What a sweep says of its findings, to people and to programs."""

import json
from datetime import UTC, datetime

from identity_service.domain.sweep import Finding, FindingKind
from identity_service.sweep_report import as_json, as_lines

USER = Finding(
    kind=FindingKind.USER,
    name="ana",
    identifier="AIDAEXAMPLE",
    owner_team="people-team",
    created_at=datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC),
    why="nobody knows it",
    signs=("no credentials", "no group and no policy"),
    advice="delete it",
    command="identityctl delete ana",
    account_id="123456789012",
)
DEVICE = Finding(
    kind=FindingKind.MFA_DEVICE,
    name="bot",
    identifier="arn:aws:iam::123456789012:mfa/bot",
    owner_team="",
    created_at=None,
    why="nobody knows it",
    signs=(),
    advice="keep it",
    command="identityctl get bot",
)


def test_each_finding_is_one_line() -> None:
    """A line has all that there is to know, and marks what may be half-made; IAM does not date MFA devices."""
    first, second = as_lines([USER, DEVICE]).splitlines()
    assert first == (
        "user ana AIDAEXAMPLE  team people-team  2026-02-03T04:05:06Z  "
        "CHECK (no credentials, no group and no policy): nobody knows it. delete it: identityctl delete ana"
    )
    assert second == (
        "mfa-device bot arn:aws:iam::123456789012:mfa/bot  team none  no date  "
        "looks complete: nobody knows it. keep it: identityctl get bot"
    )


def test_of_several_accounts_each_line_names_its_own() -> None:
    """A line begins with the account that it is about."""
    (line,) = as_lines([USER], several=True).splitlines()
    assert line.startswith("123456789012 user ana AIDAEXAMPLE  team")


def test_no_finding_is_said_in_words() -> None:
    """A person is not left with an empty screen."""
    assert as_lines([]).startswith("nothing found")


def test_a_program_gets_every_field() -> None:
    """The document names the accounts and holds each finding whole."""
    document = json.loads(as_json(["123456789012", "210987654321"], [USER, DEVICE]))
    assert document["account_ids"] == ["123456789012", "210987654321"]
    user, device = document["findings"]
    assert user == {
        "kind": "user",
        "name": "ana",
        "identifier": "AIDAEXAMPLE",
        "owner_team": "people-team",
        "created_at": "2026-02-03T04:05:06+00:00",
        "why": "nobody knows it",
        "signs": ["no credentials", "no group and no policy"],
        "advice": "delete it",
        "command": "identityctl delete ana",
        "account_id": "123456789012",
    }
    assert device["created_at"] is None
    assert json.loads(as_json(["123456789012"], [])) == {"account_ids": ["123456789012"], "findings": []}
