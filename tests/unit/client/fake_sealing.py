"""Seals as the service does."""

from __future__ import annotations

import json

import pyrage

from identity_provisioning.v1.credential_pb2 import IssuedCredentials
from tests.unit.client.fake_service import ACCOUNT, PASSWORD, SECRET_KEY, SEED, SIGN_IN_URL


def seal(credentials: IssuedCredentials, user_name: str, *recipients: str) -> str:
    """Seal credentials as the service does."""
    document = {
        "format_version": 1,
        "row_id": "row-1",
        "account_id": ACCOUNT,
        "user_name": user_name,
        "user_arn": f"arn:aws:iam::{ACCOUNT}:user/{user_name}",
        "sign_in_url": SIGN_IN_URL,
        "credentials": {
            "access_key": {"access_key_id": "AKIAEXAMPLE", "secret_access_key": SECRET_KEY},
            "console_password": {"password": PASSWORD, "generated": True},
            "mfa_device": {
                "serial_number": f"arn:aws:iam::{ACCOUNT}:mfa/{user_name}",
                "base32_seed": SEED,
                "qr_code_png": "iVBORw0KGgpRUg==",
            },
        },
    }
    kept = {name: value for name, value in document["credentials"].items() if credentials.HasField(name)}  # type: ignore[attr-defined]  # a dict of dicts
    keys = [pyrage.x25519.Recipient.from_str(each) for each in recipients]
    sealed: bytes = pyrage.encrypt(json.dumps({**document, "credentials": kept}).encode(), keys, armored=True)
    return sealed.decode()
