"""Reads what the sign-in page's address tells: the account, its alias, and the partition.

The page is `https://ALIAS-or-ACCOUNT-ID.HOST/console`, and each partition of AWS has a host of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_PARTITIONS = {
    "signin.aws.amazon.com": "aws",
    "signin.amazonaws-us-gov.com": "aws-us-gov",
    "signin.amazonaws.cn": "aws-cn",
}
_ACCOUNT_ID = re.compile(r"[0-9]{12}")


@dataclass(frozen=True)
class SignInPage:
    """What an address says of its account; empty where it does not say."""

    account_id: str = ""
    account_alias: str = ""
    partition: str = ""


def sign_in_page(url: str) -> SignInPage:
    """Answer what the address says; an address of another kind says nothing."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return SignInPage()
    name, _, domain = host.partition(".")
    partition = _PARTITIONS.get(domain, "")
    if not partition or not name:
        return SignInPage()
    if _ACCOUNT_ID.fullmatch(name):
        return SignInPage(account_id=name, partition=partition)
    return SignInPage(account_alias=name, partition=partition)
