"""The account's password policy, and AWS's own where none is set."""

from __future__ import annotations

import string
from typing import Any

from embedded_aws.account import Account, AccountUser
from embedded_aws.errors import AwsError, no_such_entity
from embedded_aws.query_protocol import Call
from embedded_aws.rulebook import Result, answers

_CLASSES = {
    "RequireUppercaseCharacters": string.ascii_uppercase,
    "RequireLowercaseCharacters": string.ascii_lowercase,
    "RequireNumbers": string.digits,
    "RequireSymbols": "!@#$%^&*()_+-=[]{}|'",
}
# What a policy says where UpdateAccountPasswordPolicy leaves it out. It replaces the whole policy each time.
_LEFT_OUT: dict[str, Any] = {
    "MinimumPasswordLength": 6,
    "AllowUsersToChangePassword": False,
    **dict.fromkeys(_CLASSES, False),
}
_DEFAULT_MINIMUM_LENGTH = 8
_DEFAULT_CLASSES_NEEDED = 3
_MAXIMUM_LENGTH = 128


@answers("UpdateAccountPasswordPolicy")
def update_account_password_policy(account: Account, call: Call) -> None:
    """Set the policy."""
    account.password_policy = {**_LEFT_OUT, **call.params}


@answers("GetAccountPasswordPolicy")
def get_account_password_policy(account: Account, call: Call) -> Result:
    """NoSuchEntity while none is set, although AWS's default then applies."""
    if account.password_policy is None:
        raise no_such_entity(f"The Password Policy with domain name {account.account_id} cannot be found.")
    expires = bool(account.password_policy.get("MaxPasswordAge"))
    return {"PasswordPolicy": {**account.password_policy, "ExpirePasswords": expires}}


@answers("DeleteAccountPasswordPolicy")
def delete_account_password_policy(account: Account, call: Call) -> None:
    """Go back to AWS's default."""
    if account.password_policy is None:
        raise no_such_entity("The account policy with name PasswordPolicy cannot be found.")
    account.password_policy = None


def check_password(account: Account, user: AccountUser, password: str) -> None:
    """PasswordPolicyViolation unless the policy in force accepts the password."""
    policy = account.password_policy
    acceptable = _meets_default(user, password) if policy is None else _meets_policy(policy, user, password)
    if not acceptable or len(password) > _MAXIMUM_LENGTH:
        raise AwsError("PasswordPolicyViolation", "Password does not conform to the account password policy.")


def _meets_default(user: AccountUser, password: str) -> bool:
    classes = sum(_holds(password, characters) for characters in _CLASSES.values())
    return (
        len(password) >= _DEFAULT_MINIMUM_LENGTH
        and classes >= _DEFAULT_CLASSES_NEEDED
        and password.casefold() != user.name.casefold()
    )


def _meets_policy(policy: dict[str, Any], user: AccountUser, password: str) -> bool:
    reused = _recent_passwords(user, policy.get("PasswordReusePrevention", 0))
    return (
        len(password) >= policy["MinimumPasswordLength"]
        and all(_holds(password, characters) for name, characters in _CLASSES.items() if policy[name])
        and password not in reused
    )


def _recent_passwords(user: AccountUser, count: int) -> list[str]:
    profile = user.login_profile
    return [user.password or "", *profile.earlier_passwords][:count] if profile else []


def _holds(password: str, characters: str) -> bool:
    return any(character in characters for character in password)
