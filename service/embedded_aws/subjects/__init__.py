"""What the account does and refuses, one subject of IAM per file."""

from __future__ import annotations

from importlib import import_module

# The order in which rules on the same operation run: form before existence before quota.
_SUBJECTS = (
    "tags",
    "boundaries",
    "policy_documents",
    "users",
    "groups",
    "roles",
    "managed_policies",
    "inline_policies",
    "access_keys",
    "login_profiles",
    "password_policy",
    "mfa_devices",
    "public_keys",
    "service_credentials",
    "account_settings",
    "authorization_details",
    "simulation",
    "sessions",
)


def enter_all() -> None:
    """Enter the rules and answers of every subject into the rulebook; entering again changes nothing."""
    for subject in _SUBJECTS:
        import_module(f"{__name__}.{subject}")
