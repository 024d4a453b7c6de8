"""What makes two requests the same one, without their secrets."""

import hashlib
import json
from dataclasses import asdict, replace

from identity_service.domain.request import Mutation, UserChange


def fingerprint(mutation: Mutation, account_id: str) -> str:
    """Digest what a mutation asks for: SHA-256 in hexadecimal.

    A custom password is left out (the hash of a password can be guessed); that there is one is not.
    """
    body = mutation.body
    custom = False
    if isinstance(body, UserChange) and body.credentials.console_password:
        custom = body.credentials.console_password.custom is not None
        password = replace(body.credentials.console_password, custom=None)
        body = replace(body, credentials=replace(body.credentials, console_password=password))
    canonical = {"action": mutation.action, "account_id": account_id, "custom": custom, "body": asdict(body)}
    return hashlib.sha256(json.dumps(canonical, sort_keys=True).encode()).hexdigest()
