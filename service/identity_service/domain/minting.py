"""What is known of the credentials that a request has asked of IAM, and whose a credential without an answer is."""

import enum
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from identity_service.domain.entities import AccessKeyRecord

CLOCK_TOLERANCE = timedelta(minutes=1)
"""How far AWS's clock and ours may be apart when a creation time is judged."""


class MintKind(enum.StrEnum):
    """What is minted; none of these calls can be repeated without making another one."""

    ACCESS_KEY = "access-key"
    CONSOLE_PASSWORD = "console-password"  # noqa: S105 - a kind of credential, not one
    MFA_DEVICE = "mfa-device"


class MintState(enum.StrEnum):
    """What is known of a mint: nothing yet, that it was made, or that nothing is there of it (any more)."""

    UNANSWERED = "unanswered"
    MADE = "made"
    VOID = "void"


@dataclass(frozen=True)
class Mint:
    """A credential that was asked of IAM: written down before the call is sent, completed after its answer.

    `credential_id` is an access key's id, a device's serial number or a user's name; empty until it is MADE.
    """

    mint_id: str
    kind: MintKind
    epoch: int
    begun_at: datetime
    state: MintState = MintState.UNANSWERED
    credential_id: str = ""


@dataclass(frozen=True)
class OthersPassword:
    """An answered mint of a console password by another request; `user_id` is its user's, empty if it is not known."""

    mint: Mint
    user_id: str = ""


@dataclass(frozen=True)
class AttributedKeys:
    """The access keys of a user that nobody has recorded: those that are a request's, and those that may not be."""

    ours: tuple[str, ...] = ()
    unattributed: tuple[str, ...] = ()


def attribute_keys(
    keys: Sequence[AccessKeyRecord],
    known_ids: Collection[str],
    mints: Sequence[Mint],
    validity: timedelta,
) -> AttributedKeys:
    """Tell which unknown keys are those of mints without an answer.

    They are if there are no more of them than such mints, and each was created while a call of one could be carried
    out: from when it was begun until its signature's `validity` ended. Otherwise they may be somebody else's, and all
    of them are unattributed: a key of somebody else is never deleted, so that one of ours may be left and reported.
    """
    unknown = [key for key in keys if key.access_key_id not in known_ids]
    unanswered = [mint for mint in mints if mint.kind is MintKind.ACCESS_KEY and mint.state is MintState.UNANSWERED]
    ids = tuple(key.access_key_id for key in unknown)
    if len(unknown) > len(unanswered):
        return AttributedKeys(unattributed=ids)
    outside = tuple(
        key.access_key_id
        for key in unknown
        if not any(could_have_made(mint, key.created_at, validity) for mint in unanswered)
    )
    return AttributedKeys(ours=tuple(key_id for key_id in ids if key_id not in outside), unattributed=outside)


class PasswordOrigin(enum.Enum):
    """Whose a console password is that a user has: surely the request's, perhaps, or surely not."""

    OURS = "ours"
    DOUBTFUL = "doubtful"
    NOT_OURS = "not-ours"


def attribute_password(
    created_at: datetime,
    mints: Iterable[Mint],
    others: Iterable[Mint],
    landing: timedelta,
    validity: timedelta,
) -> PasswordOrigin:
    """Tell whether a console password is one of a request's own `mints`, by when it was set.

    A user has one password, and nothing on it tells who set it. It is the request's if it was set while one of its
    calls was on its way, which takes no longer than `landing` normally, and while no call of `others`, which are the
    answered ones of other requests for the user, was. Later, until the signature's `validity` has ended, a call
    without an answer may still have set it; but so may an administrator who did by hand what the request had failed
    at. That one is doubtful: it is left and reported, never deleted.
    """
    own = tuple(mints)
    if any(could_have_made(mint, created_at, landing) for mint in own):
        taken = any(could_have_made(mint, created_at, landing) for mint in others)
        return PasswordOrigin.DOUBTFUL if taken else PasswordOrigin.OURS
    unanswered = [mint for mint in own if mint.state is MintState.UNANSWERED]
    if any(could_have_made(mint, created_at, validity) for mint in unanswered):
        return PasswordOrigin.DOUBTFUL
    return PasswordOrigin.NOT_OURS


def could_have_made(mint: Mint, created_at: datetime, validity: timedelta) -> bool:
    """Tell whether something was created while a mint's call could be carried out."""
    return mint.begun_at - CLOCK_TOLERANCE <= created_at <= mint.begun_at + validity + CLOCK_TOLERANCE
