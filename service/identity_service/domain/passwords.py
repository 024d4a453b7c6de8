"""Console passwords: the account's password policy, checking and generating.

Rules: AWS, "Set an account password policy for IAM users" (classes, symbols, the default policy).
"""

import secrets
import string
from dataclasses import dataclass

from identity_service.domain.names import name_key
from identity_service.domain.secret import Secret

SYMBOLS = "!@#$%^&*()_+-=[]{}|'"
"""The characters that IAM counts as symbols."""

MAXIMUM_LENGTH = 128
GENERATED_LENGTH = 20
GENERATED_SYMBOLS = "!#$%^*()_+-=[]{}"
"""Symbols that a person can type from a sheet of paper and that need no escape in XML or a shell word."""


@dataclass(frozen=True)
class PasswordPolicy:
    """The password policy in force; `is_default` tells that the account has set none.

    `minimum_classes` counts lowercase, uppercase, digits and symbols; AWS's default policy asks for three of them.
    """

    minimum_length: int = 8
    require_lowercase: bool = False
    require_uppercase: bool = False
    require_numbers: bool = False
    require_symbols: bool = False
    minimum_classes: int = 0
    allow_users_to_change: bool = False
    maximum_age_days: int = 0
    hard_expiry: bool = False
    reuse_prevention: int = 0
    is_default: bool = False


DEFAULT_POLICY = PasswordPolicy(minimum_length=8, minimum_classes=3, is_default=True)
"""What AWS demands where an account has set no policy."""


def violations(password: Secret, policy: PasswordPolicy, user_name: str) -> tuple[str, ...]:
    """Say, rule by rule and without the password, how it breaks the policy; empty if it does not."""
    value = password.reveal()
    has_lower, has_upper, has_digit, has_symbol = classes(value)
    broken = [
        (len(value) < policy.minimum_length, f"must have at least {policy.minimum_length} characters"),
        (len(value) > MAXIMUM_LENGTH, f"must have at most {MAXIMUM_LENGTH} characters"),
        (policy.require_lowercase and not has_lower, "must have a lowercase letter"),
        (policy.require_uppercase and not has_upper, "must have an uppercase letter"),
        (policy.require_numbers and not has_digit, "must have a digit"),
        (policy.require_symbols and not has_symbol, f"must have one of the symbols {SYMBOLS}"),
        (
            has_lower + has_upper + has_digit + has_symbol < policy.minimum_classes,
            f"must mix at least {policy.minimum_classes} of lowercase letters, uppercase letters, digits and symbols",
        ),
        (policy.is_default and name_key(value) == name_key(user_name), "must not be the user name"),
    ]
    return tuple(rule for is_broken, rule in broken if is_broken)


def classes(value: str) -> tuple[bool, bool, bool, bool]:
    """Tell which classes a password has: lowercase, uppercase, digits, symbols (ASCII, as IAM counts)."""
    characters = set(value)
    return (
        bool(characters & set(string.ascii_lowercase)),
        bool(characters & set(string.ascii_uppercase)),
        bool(characters & set(string.digits)),
        bool(characters & set(SYMBOLS)),
    )


def generate(policy: PasswordPolicy) -> Secret:
    """Make a password that satisfies any policy: all four classes, a letter first, from `secrets`.

    A letter first, because a spreadsheet takes a cell that begins with a symbol for a formula.
    """
    length = min(max(policy.minimum_length, GENERATED_LENGTH), MAXIMUM_LENGTH)
    alphabets = (string.ascii_lowercase, string.ascii_uppercase, string.digits, GENERATED_SYMBOLS)
    first = secrets.choice(string.ascii_letters)
    rest = [secrets.choice(alphabet) for alphabet in alphabets]
    rest += [secrets.choice("".join(alphabets)) for _ in range(length - 1 - len(rest))]
    secrets.SystemRandom().shuffle(rest)
    return Secret(first + "".join(rest))
