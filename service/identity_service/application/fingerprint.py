"""What makes two requests the same one, without their secrets."""

import hashlib
import json
from dataclasses import fields, is_dataclass
from enum import Enum

from identity_service.domain.request import Mutation
from identity_service.domain.secret import Secret


def fingerprint(mutation: Mutation, account_id: str) -> str:
    """Digest what a mutation asks for: SHA-256 in hexadecimal.

    A secret is left out (the hash of a password can be guessed); that there is one is not. Neither is to whom secrets
    are sealed. Whether they shall be issued again makes no other request.
    """
    canonical = {
        "action": mutation.action,
        "account_id": account_id,
        "body": _canonical(mutation.body),
        "recipients": sorted(mutation.recipients),
    }
    return digest_of(canonical)


def digest_of(value: object) -> str:
    """Digest a value without its secrets: SHA-256 in hexadecimal."""
    return hashlib.sha256(json.dumps(_canonical(value), sort_keys=True).encode()).hexdigest()


def _canonical(value: object) -> object:
    if isinstance(value, Secret):
        return "a secret"
    if isinstance(value, Enum):
        return value.name
    if is_dataclass(value):
        return {each.name: _canonical(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple):
        return [_canonical(item) for item in value]
    return value
