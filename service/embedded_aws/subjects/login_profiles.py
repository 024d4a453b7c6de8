"""Login profiles: a user's one console password, held to the account's password policy."""

from __future__ import annotations

from typing import Any

from embedded_aws.account import Account, AccountUser, LoginProfile
from embedded_aws.errors import AwsError, already_exists, no_such_entity
from embedded_aws.query_protocol import Call
from embedded_aws.rulebook import Result, answers
from embedded_aws.subjects.password_policy import check_password


@answers("CreateLoginProfile")
def create_login_profile(account: Account, call: Call) -> Result:
    """One per user."""
    user = account.user(call.params["UserName"])
    if user.login_profile is not None:
        raise already_exists(f"Login Profile for user {user.name} already exists.")
    password = call.params.get("Password")
    if password is None:
        raise AwsError("ValidationError", "Password must not be null")
    check_password(account, user, password)
    user.password = password
    user.login_profile = LoginProfile(account.now(), call.params.get("PasswordResetRequired", False))
    return {"LoginProfile": _profile_fields(user, user.login_profile)}


@answers("GetLoginProfile")
def get_login_profile(account: Account, call: Call) -> Result:
    """Everything but the password."""
    user = account.user(call.params["UserName"])
    return {"LoginProfile": _profile_fields(user, profile_of(user))}


@answers("UpdateLoginProfile")
def update_login_profile(account: Account, call: Call) -> None:
    """What the call leaves out stays as it is."""
    user = account.user(call.params["UserName"])
    profile = profile_of(user)
    if "Password" in call.params:
        change_password_to(account, user, call.params["Password"])
    profile.reset_required = call.params.get("PasswordResetRequired", profile.reset_required)


@answers("DeleteLoginProfile")
def delete_login_profile(account: Account, call: Call) -> None:
    """Without its password the user cannot sign in to the console."""
    user = account.user(call.params["UserName"])
    profile_of(user)
    user.login_profile = user.password = None


@answers("ChangePassword")
def change_password(account: Account, call: Call) -> None:
    """Users change their own password, knowing the old one; the root has none here."""
    user = call.caller.acting_user if call.caller else None
    if user is None:
        raise AwsError("InvalidUserType", "Only an IAM user can change its own password.")
    profile = profile_of(user)
    if user.password != call.params["OldPassword"]:
        raise AwsError("AccessDenied", "The old password was incorrect.")
    change_password_to(account, user, call.params["NewPassword"])
    profile.reset_required = False


def change_password_to(account: Account, user: AccountUser, password: str) -> None:
    """Replace the password if the policy accepts the new one."""
    profile = profile_of(user)
    check_password(account, user, password)
    profile.earlier_passwords.insert(0, user.password or "")
    user.password = password


def profile_of(user: AccountUser) -> LoginProfile:
    """The user's login profile, or NoSuchEntity."""
    if user.login_profile is None:
        raise no_such_entity(f"Login Profile for User {user.name} cannot be found.")
    return user.login_profile


def _profile_fields(user: AccountUser, profile: LoginProfile) -> dict[str, Any]:
    return {
        "UserName": user.name,
        "CreateDate": profile.create_date,
        "PasswordResetRequired": profile.reset_required,
    }
