"""Console passwords: checked as IAM checks them, generated so that no policy refuses them."""

import pickle
import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity_service.domain.passwords import DEFAULT_POLICY, SYMBOLS, PasswordPolicy, generate, violations
from identity_service.domain.secret import Secret

policies = st.builds(
    PasswordPolicy,
    minimum_length=st.integers(6, 128),
    require_lowercase=st.booleans(),
    require_uppercase=st.booleans(),
    require_numbers=st.booleans(),
    require_symbols=st.booleans(),
    minimum_classes=st.sampled_from([0, 3]),
)


@given(policies)
def test_a_generated_password_satisfies_every_policy(policy: PasswordPolicy) -> None:
    """Whatever an account may demand, a generated password is accepted."""
    value = generate(policy).reveal()
    assert violations(Secret(value), policy, "ana") == ()
    assert policy.minimum_length <= len(value) <= 128
    for alphabet in (string.ascii_lowercase, string.ascii_uppercase, string.digits, SYMBOLS):
        assert set(value) & set(alphabet)


@given(policies)
def test_a_generated_password_is_safe_in_a_spreadsheet_cell(policy: PasswordPolicy) -> None:
    """A generated password begins with a letter, so that no spreadsheet takes it for a formula."""
    assert generate(policy).reveal()[0] in string.ascii_letters


def test_two_generated_passwords_differ() -> None:
    """Passwords are not predictable from one another: a thousand of them are all different."""
    assert len({generate(DEFAULT_POLICY).reveal() for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    ("password", "broken_rules"),
    [
        ("Abcdefg1", 0),
        ("abcdefg!", 1),
        ("Abcdef1", 1),
        ("aaaa", 2),
        ("A1!" + "a" * 125, 0),
        ("A1!" + "a" * 126, 1),
    ],
)
def test_the_default_policy_wants_eight_characters_of_three_classes(password: str, broken_rules: int) -> None:
    """Where an account has set no policy: 8 to 128 characters, three of the four classes."""
    assert len(violations(Secret(password), DEFAULT_POLICY, "ana")) == broken_rules


def test_the_default_policy_refuses_the_user_name() -> None:
    """AWS's default policy does not take the user's own name as the password, in any letter case."""
    assert violations(Secret("Ana.Lima1"), DEFAULT_POLICY, "ana.lima1")
    assert not violations(Secret("Ana.Lima2"), DEFAULT_POLICY, "ana.lima1")


@pytest.mark.parametrize(
    ("rule", "password"),
    [
        ("require_lowercase", "ABCDEFG1!"),
        ("require_uppercase", "abcdefg1!"),
        ("require_numbers", "Abcdefgh!"),
        ("require_symbols", "Abcdefgh1"),
    ],
)
def test_each_class_that_a_policy_asks_for_is_required(rule: str, password: str) -> None:
    """A password that lacks one class breaks just the rule that asks for it."""
    lenient = PasswordPolicy(minimum_length=6)
    assert violations(Secret(password), lenient, "ana") == ()
    assert len(violations(Secret(password), replace(lenient, **{rule: True}), "ana")) == 1


@given(st.text(min_size=4, max_size=60))
def test_what_is_said_of_a_password_does_not_hold_it(password: str) -> None:
    """The words about a refused password are the same for every password that breaks the same rules."""
    strict = PasswordPolicy(minimum_length=100)
    assert violations(Secret(password), strict, "ana") == violations(Secret("x" * 4), strict, "ana")


def test_a_secret_does_not_show_itself() -> None:
    """No way of printing, formatting or pickling a secret gives its value."""
    secret = Secret("canary")
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r}", "%s" % secret, repr([secret]), repr({"a": secret})]  # noqa: UP031 - each way of formatting is tried
    assert not any("canary" in text for text in shown)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert secret.reveal() == "canary"
