"""Who is let in, and what they may ask for."""

from collections.abc import Callable
from pathlib import Path

import pytest

from identity_service.adapters.authorization import FileAuthorizer
from identity_service.domain import target
from identity_service.domain.caller import Caller
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.plan import Plan

RULES = """
teams:
  people-team:
    rpcs: [ProvisionUser, GetUser]
  ci-platform:
    rpcs: [CreateUser]
    accounts: ["123456789012"]
  operators:
    rpcs: ["*"]
  auditors:
    rpcs: "*"
    accounts: ["210987654321"]
callers:
  "spiffe://example.org/onboarding-bot": people-team
  "spiffe://example.org/ci": ci-platform
  "spiffe://example.org/operator": operators
  "spiffe://example.org/auditor": auditors
"""
KNOWN = frozenset({"ProvisionUser", "CreateUser", "GetUser", "DeleteUser"})
ONE, OTHER = "123456789012", "210987654321"


@pytest.fixture
def authorizer(tmp_path: Path) -> FileAuthorizer:
    """An authorizer with the rules above."""
    file = tmp_path / "authorization.yaml"
    file.write_text(RULES)
    return FileAuthorizer.from_file(file, KNOWN)


def refusal(question: Callable[[], object]) -> IdentityError:
    """Return the error that a question is answered with."""
    with pytest.raises(IdentityError) as caught:
        question()
    return caught.value


def of(team: str) -> Caller:
    """Build a caller of a team."""
    return Caller("spiffe://example.org/somebody", team)


def test_a_known_caller_has_its_team(authorizer: FileAuthorizer) -> None:
    """The file says for which team a caller acts."""
    caller = authorizer.identify("spiffe://example.org/onboarding-bot")
    assert caller == Caller("spiffe://example.org/onboarding-bot", "people-team")


@pytest.mark.parametrize(
    "caller_id",
    [
        "",
        "people-team",
        "spiffe://example.org",
        "spiffe://example.org/",
        "spiffe://example.org/onboarding-bot/",
        "spiffe://example.org/onboarding-bot/x",
        "spiffe://example.org/Onboarding-Bot",
        "spiffe://example.org/onboarding-bo",
        "SPIFFE://example.org/onboarding-bot",
        "spiffe://example.com/onboarding-bot",
        " spiffe://example.org/onboarding-bot",
    ],
)
def test_another_caller_is_refused(authorizer: FileAuthorizer, caller_id: str) -> None:
    """Only the id as it stands in the file is let in: no prefix of it, no other letter case, no other domain."""
    error = refusal(lambda: authorizer.identify(caller_id))
    assert error.reason is Reason.CALLER_NOT_ALLOWED
    assert "people-team" not in str(error)


@pytest.mark.parametrize(
    ("team", "action", "account_id", "allowed"),
    [
        ("people-team", "ProvisionUser", ONE, True),
        ("people-team", "GetUser", OTHER, True),
        ("people-team", "DeleteUser", ONE, False),
        ("people-team", "provisionuser", ONE, False),
        ("people-team", "", ONE, False),
        ("people-team", "*", ONE, False),
        ("ci-platform", "CreateUser", ONE, True),
        ("ci-platform", "CreateUser", OTHER, False),
        ("ci-platform", "CreateUser", "", False),
        ("ci-platform", "ProvisionUser", ONE, False),
        ("operators", "DeleteUser", ONE, True),
        ("operators", "DeleteUser", OTHER, True),
        ("auditors", "DeleteUser", OTHER, True),
        ("auditors", "DeleteUser", ONE, False),
        ("no-such-team", "GetUser", ONE, False),
        ("", "GetUser", ONE, False),
    ],
)
def test_both_questions_follow_the_rules(
    authorizer: FileAuthorizer, team: str, action: str, account_id: str, allowed: bool
) -> None:
    """A team may what its RPCs and its accounts both allow; asked before the plan and on the plan alike."""
    questions: tuple[Callable[[], None], ...] = (
        lambda: authorizer.may_ask(of(team), action, account_id, target.user("Ann")),
        lambda: authorizer.may_have(of(team), action, Plan(account_id, target.user("Ann"))),
    )
    for question in questions:
        if allowed:
            question()
        else:
            assert refusal(question).reason is Reason.CALLER_NOT_ALLOWED


def test_a_refusal_does_not_tell_the_rules(authorizer: FileAuthorizer) -> None:
    """A wrong RPC and a wrong account are told apart by nothing, and the refusal names the RPC alone."""
    wrong_rpc = refusal(lambda: authorizer.may_ask(of("ci-platform"), "DeleteUser", ONE, target.user("Ann")))
    wrong_account = refusal(lambda: authorizer.may_ask(of("ci-platform"), "CreateUser", OTHER, target.user("Ann")))
    assert wrong_rpc.metadata == {"action": "DeleteUser"}
    assert wrong_account.metadata == {"action": "CreateUser"}
    assert wrong_rpc.message.replace("DeleteUser", "X") == wrong_account.message.replace("CreateUser", "X")
    assert not [word for word in (ONE, OTHER, "ci-platform", "Ann") if word in str(wrong_rpc) + str(wrong_account)]


def test_the_trust_domains_are_those_of_the_callers(tmp_path: Path) -> None:
    """Authentication takes ids of no other trust domain than one that a caller of the file has."""
    file = tmp_path / "authorization.yaml"
    file.write_text(f'{RULES}  "spiffe://other.example/a/b": auditors\n')
    assert FileAuthorizer.from_file(file, KNOWN).trust_domains() == {"example.org", "other.example"}
