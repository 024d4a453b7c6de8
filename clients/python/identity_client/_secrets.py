"""Which requests ask for secrets that only one answer shows, and what to do when an answer withholds them."""

from __future__ import annotations

from typing import Protocol, TypeVar

from google.protobuf.message import Message

from identity_client._contract import Response, Rpc
from identity_provisioning.v1.credential_pb2 import CredentialSpec, IssuedCredentials

_REISSUE = "reissue_secrets"


class SecretsWithheld(Exception):  # noqa: N818 -- named as the errors beside it: `except SecretsWithheld` says it all
    """The work is done, but another answer had the secrets; the text says how to come by some."""

    def __init__(self) -> None:
        """Make the text."""
        super().__init__(
            "The work is done, and its secrets were in another answer to the same request_id. Look where that answer "
            "went: perhaps another process sent the same request. If it is lost, send the same request with the same "
            "request_id and reissue_secrets=True: the service revokes those secrets and makes new ones. It does so for "
            "a limited time, and never for a credential that was used; after that, delete the credentials and make "
            "others."
        )


class _HasCredentials(Protocol):
    """An answer that may hold secrets."""

    @property
    def credentials(self) -> IssuedCredentials:
        """Answer the credentials."""


Answer = TypeVar("Answer", bound=_HasCredentials)


def require_secrets(answer: Answer) -> Answer:
    """Answer what is given, unless its secrets are withheld.

    Raises:
        SecretsWithheld: they are, since another answer had them.
    """
    if answer.credentials.secrets_withheld:
        raise SecretsWithheld
    return answer


def secrets_can_be_lost(rpc: Rpc[Response], request: Message) -> bool:
    """Tell whether only one answer to this request shows the secrets that it makes.

    A plan makes none, a password that came with the request is known, and sealed secrets are in every answer.
    """
    plain = not getattr(request, "validate_only", False) and not getattr(request, "recipients", ())
    return rpc.mints and plain and _REISSUE in request.DESCRIPTOR.fields_by_name and _awaits_secrets(request)


def _awaits_secrets(request: Message) -> bool:
    """Tell whether the service is to make a secret; requests without a specification always want one made."""
    spec = getattr(getattr(request, "user", request), "credentials", None)
    if not isinstance(spec, CredentialSpec):
        return True
    generated = spec.HasField("console_password") and not spec.console_password.custom_password
    return spec.access_key or spec.HasField("mfa_device") or generated


def ask_for_new_secrets(request: Message) -> None:
    """Have the service revoke the secrets that earlier attempts made, and make new ones."""
    setattr(request, _REISSUE, True)
