"""`identityctl account`: what there is to know before making users."""

from __future__ import annotations

import typer
from rich.table import Table

from identity_client.cli.failures import message_document
from identity_client.cli.review import show_line
from identity_client.cli.session import Session, printable
from identity_provisioning.v1.account_pb2 import Account, PasswordPolicy, Quota


def account(context: typer.Context) -> None:
    """Show the account: sign-in page, password policy, quotas and their use."""
    session: Session = context.obj
    found = session.connect().get_account().account
    if session.as_json:
        session.write_json(message_document(found))
    else:
        _show(session, found)


def _show(session: Session, found: Account) -> None:
    for name, value in (
        ("Account", found.account_id),
        ("Alias", found.alias or "none"),
        ("Partition", found.partition),
        ("Sign in at", found.sign_in_url),
        ("Passwords", _policy_text(found.password_policy)),
    ):
        show_line(session.results, f"{name + ':':<12}{value}")
    session.results.print(_quota_table(list(found.quotas)))


def _policy_text(policy: PasswordPolicy) -> str:
    classes = {
        "a lowercase letter": policy.require_lowercase,
        "an uppercase letter": policy.require_uppercase,
        "a digit": policy.require_numbers,
        "a symbol": policy.require_symbols,
    }
    parts = [f"at least {policy.minimum_length} characters"]
    parts += [name for name, required in classes.items() if required]
    if policy.minimum_classes:
        parts.append(f"{policy.minimum_classes} of the four classes of characters")
    if policy.maximum_age_days:
        parts.append(f"expire after {policy.maximum_age_days} days")
    parts.append("users may change them" if policy.allow_users_to_change else "users may not change them")
    return ", ".join(parts) + (" (AWS's default)" if policy.is_default else "")


def _quota_table(quotas: list[Quota]) -> Table:
    table = Table(title="Quotas", title_justify="left")
    table.add_column("Quota")
    table.add_column("Used", justify="right")
    table.add_column("Limit", justify="right")
    for quota in quotas:
        used = str(quota.used) if quota.HasField("used") else ""
        table.add_row(printable(quota.quota_name), used, str(quota.limit))
    return table
