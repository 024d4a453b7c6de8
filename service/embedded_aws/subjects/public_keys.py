"""SSH public keys and signing certificates of users: what is accepted, and how many."""

from __future__ import annotations

import binascii
import hashlib
from base64 import b64decode
from typing import Any

from embedded_aws.account import Account
from embedded_aws.errors import AwsError, limit_exceeded
from embedded_aws.moto_answers import carry_out
from embedded_aws.query_protocol import Call
from embedded_aws.rulebook import answers, rule

_PEM_HEADER = "-----BEGIN PUBLIC KEY-----"


@rule("UploadSSHPublicKey")
def ssh_key_is_a_key(account: Account, call: Call) -> None:
    """An RSA key in OpenSSH's or PEM form."""
    body = call.params["SSHPublicKeyBody"]
    if not body.startswith(_PEM_HEADER) and not _is_openssh_rsa(body):
        raise AwsError("InvalidPublicKey", "The public key is not a valid RSA key.")


@rule("UploadSSHPublicKey")
def ssh_key_is_new(account: Account, call: Call) -> None:
    """A user has the same key once; the comment behind it makes no other key."""
    held = [key.ssh_public_key_body for key in account.user(call.params["UserName"]).ssh_public_keys]
    if _without_comment(call.params["SSHPublicKeyBody"]) in map(_without_comment, held):
        raise AwsError("DuplicateSSHPublicKey", "The SSH public key is already associated with the user.")


@rule("UploadSSHPublicKey")
def user_has_room_for_an_ssh_key(account: Account, call: Call) -> None:
    """A user has so many SSH keys and no more."""
    limit = account.quotas["SSHPublicKeysPerUserQuota"]
    if len(account.user(call.params["UserName"]).ssh_public_keys) >= limit:
        raise limit_exceeded("SSHPublicKeysPerUser", limit)


@rule("UploadSigningCertificate")
def user_has_room_for_a_certificate(account: Account, call: Call) -> None:
    """A user has so many certificates and no more."""
    limit = account.quotas["SigningCertificatesPerUserQuota"]
    if len(account.user(call.params["UserName"]).signing_certificates) >= limit:
        raise limit_exceeded("CertificatesPerUser", limit)


@answers("UploadSSHPublicKey")
def upload_ssh_public_key(account: Account, call: Call) -> Any:
    """Moto keeps the key; the fingerprint is the one that IAM shows, MD5 in pairs."""
    uploaded = carry_out(account, call)
    body = call.params["SSHPublicKeyBody"]
    blob = body.encode() if body.startswith(_PEM_HEADER) else b64decode(body.split()[1])
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    key = account.user(call.params["UserName"]).ssh_public_keys[-1]
    key.fingerprint = ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))
    return uploaded


def _without_comment(body: str) -> str:
    return body.strip() if body.startswith(_PEM_HEADER) else " ".join(body.split()[:2])


def _is_openssh_rsa(body: str) -> bool:
    kind, _, rest = body.strip().partition(" ")
    try:
        return kind == "ssh-rsa" and b"ssh-rsa" in b64decode(rest.split(" ")[0], validate=True)[:11]
    except (binascii.Error, ValueError):
        return False
