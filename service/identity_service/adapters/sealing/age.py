"""age, by the library pyrage: X25519 and ssh-ed25519 recipients.

ssh-rsa is left out because two kinds of key are enough and its keys may be short, plugins because each is a program
that this server would have to run.
"""

import re
from collections.abc import Sequence

import pyrage

from identity_service.adapters.sealing.weak_keys import is_weak_ssh_key, is_weak_x25519
from identity_service.domain.errors import FieldViolation, IdentityError, Reason
from identity_service.domain.sealed import SealedDocument

_PLUGIN = re.compile(r"age1[^1]*1")
_SECRET = "AGE-SECRET-KEY-"  # noqa: S105 - how a secret begins, and none
_X25519 = "age1"
_SSH = "ssh-ed25519 "


class BadRecipientError(ValueError):
    """Nothing can be sealed to a text; says why, and holds nothing of it."""


class AgeSealer:
    """Seals to age recipients. It holds no key."""

    def check(self, recipients: Sequence[str]) -> None:
        """Raise IdentityError INVALID_FIELD with a violation for each recipient that is none."""
        violations = tuple(
            FieldViolation(f"recipients[{index}]", complaint)
            for index, text in enumerate(recipients)
            if (complaint := _complaint(text))
        )
        if violations:
            raise IdentityError(
                Reason.INVALID_FIELD,
                "nothing can be sealed to " + ", ".join(violation.field for violation in violations),
                field_violations=violations,
            )

    def seal(self, recipients: Sequence[str], document: SealedDocument) -> str:
        """Return armored age text that each of the recipients can open."""
        keys = [_recipient(text) for text in recipients]
        sealed: bytes = pyrage.encrypt(document.reveal().encode(), keys, armored=True)
        return sealed.decode("ascii")


def _complaint(text: str) -> str:
    """Say what is wrong with a recipient; empty if nothing. It may be a secret by mistake, so it is not quoted."""
    try:
        _recipient(text)
    except BadRecipientError as error:
        return str(error)
    return ""


def _recipient(text: str) -> pyrage.x25519.Recipient | pyrage.ssh.Recipient:
    """Read a recipient; raises BadRecipientError."""
    if text.upper().startswith(_SECRET):
        raise BadRecipientError(
            "this is a secret key and no recipient: hold it for disclosed, make another, and give what begins with age1"
        )
    if text.startswith("ssh-rsa "):
        raise BadRecipientError("ssh-rsa keys are not taken: use an ssh-ed25519 key, or an age key (age1...)")
    if _PLUGIN.match(text):
        raise BadRecipientError("recipients of age plugins are not taken: use an age key (age1...) without one")
    try:
        if text.startswith(_X25519):
            recipient = pyrage.x25519.Recipient.from_str(text)
            weak = is_weak_x25519(text)
        elif text.startswith(_SSH) and text.isprintable():
            recipient = pyrage.ssh.Recipient.from_str(text)
            weak = is_weak_ssh_key(text)
        else:
            raise BadRecipientError("is no age recipient: age1... or ssh-ed25519 AAAA..., as one line")
    except pyrage.RecipientError:
        # The library's text may quote what it could not read.
        raise BadRecipientError("is not a whole and valid age recipient: was it cut, or mistyped?") from None
    if weak:
        raise BadRecipientError("is the public key of no secret key, so that everybody could open what is sealed to it")
    return recipient
