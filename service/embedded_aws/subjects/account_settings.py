"""The account's own settings: its alias, and the summary of what it holds and may hold."""

from __future__ import annotations

from embedded_aws.account import Account
from embedded_aws.errors import already_exists, no_such_entity
from embedded_aws.query_protocol import Call
from embedded_aws.rulebook import Result, answers, rule


@rule("CreateAccountAlias")
def alias_is_free(account: Account, call: Call) -> None:
    """An alias names one account of all."""
    alias = call.params["AccountAlias"]
    for other in call.accounts or ():
        if other is not account and alias in other.iam.account_aliases:
            raise already_exists(f"The account alias {alias} already exists.")


@rule("DeleteAccountAlias")
def alias_is_the_accounts(account: Account, call: Call) -> None:
    """NoSuchEntity for an alias that the account does not have."""
    alias = call.params["AccountAlias"]
    if alias not in account.iam.account_aliases:
        raise no_such_entity(f"The account alias {alias} does not exist.")


@answers("GetAccountSummary")
def get_account_summary(account: Account, call: Call) -> Result:
    """What is in use, beside every quota."""
    return {"SummaryMap": dict(sorted({**account.quotas.listed(), **_in_use(account)}.items()))}


def _in_use(account: Account) -> dict[str, int]:
    iam, policies = account.iam, account.customer_policies()
    return {
        "AccountAccessKeysPresent": 0,
        "AccountMFAEnabled": 0,
        "AccountPasswordPresent": 1,
        "AccountSigningCertificatesPresent": 0,
        "GlobalEndpointTokenVersion": 1,
        "Groups": len(iam.groups),
        "InstanceProfiles": len(iam.instance_profiles),
        "MFADevices": len(iam.virtual_mfa_devices),
        "MFADevicesInUse": sum(len(user.mfa_devices) for user in iam.users.values()),
        "Policies": len(policies),
        "PolicyVersionsInUse": sum(len(policy.versions) for policy in policies),
        "Providers": len(iam.saml_providers) + len(iam.open_id_providers),
        "Roles": len(iam.roles),
        "ServerCertificates": len(iam.certificates),
        "Users": len(iam.users),
    }
