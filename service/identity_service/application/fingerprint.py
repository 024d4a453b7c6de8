"""What makes two requests the same one, without their secrets.

Releases compare their digests with those that others have stored: in a rollout a retry may reach a newer one. So a
field that was not set is left out, and a new one, with a default that means what was so before, changes no digest.
Neither does where the parts stand in a message, which a release may tell otherwise.
"""

import hashlib
import json
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from typing import Any

from identity_service.domain.request import Mutation, RequestFields
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
        named = ((each, getattr(value, each.name)) for each in fields(value))
        return {each.name: _canonical(held) for each, held in named if not _is_left_out(each, held)}
    if isinstance(value, tuple):
        return [_canonical(item) for item in value]
    return value


def _is_left_out(each: Field[Any], held: object) -> bool:
    if isinstance(held, RequestFields):
        return True
    if each.default_factory is not MISSING:
        return bool(held == each.default_factory())
    return each.default is not MISSING and bool(held == each.default)
