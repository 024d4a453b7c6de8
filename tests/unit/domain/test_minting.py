"""Whose a credential without an answer is: rather left and reported than somebody else's deleted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity_service.domain.entities import AccessKeyRecord
from identity_service.domain.minting import (
    AttributedKeys,
    Mint,
    MintKind,
    MintState,
    PasswordOrigin,
    attribute_keys,
    attribute_password,
    could_have_made,
)

BEGUN = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
VALIDITY = timedelta(minutes=15)
MINUTE = timedelta(minutes=1)


def mint(number: int = 1, state: MintState = MintState.UNANSWERED, **parts: object) -> Mint:
    """Write a key's mint down."""
    made = Mint(f"mint-{number}", MintKind.ACCESS_KEY, epoch=1, begun_at=BEGUN, state=state)
    return replace(made, **parts)  # type: ignore[arg-type]  # the parts are a mint's


def key(name: str, after: timedelta = timedelta()) -> AccessKeyRecord:
    """Make a key some time after the mint was begun."""
    return AccessKeyRecord(name, active=True, created_at=BEGUN + after)


LOST = mint()
MADE = mint(2, MintState.MADE, credential_id="made")
VOID = mint(3, MintState.VOID)
PASSWORD = mint(4, kind=MintKind.CONSOLE_PASSWORD)


@pytest.mark.parametrize(
    ("keys", "known", "mints", "ours", "unattributed"),
    [
        ([], (), [LOST], (), ()),
        ([key("a")], (), [LOST], ("a",), ()),
        ([key("a")], ("a",), [LOST], (), ()),
        ([key("a"), key("b")], ("a",), [LOST], ("b",), ()),
        ([key("a"), key("b")], (), [LOST], (), ("a", "b")),
        ([key("a"), key("b")], (), [LOST, mint(5)], ("a", "b"), ()),
        ([key("a")], (), [LOST, mint(5)], ("a",), ()),
        ([key("a")], (), [MADE], (), ("a",)),
        ([key("a")], (), [VOID], (), ("a",)),
        ([key("a")], (), [PASSWORD], (), ("a",)),
        ([key("a")], (), [], (), ("a",)),
        ([key("a", -MINUTE)], (), [LOST], ("a",), ()),
        ([key("a", -2 * MINUTE)], (), [LOST], (), ("a",)),
        ([key("a", VALIDITY + MINUTE)], (), [LOST], ("a",), ()),
        ([key("a", VALIDITY + 2 * MINUTE)], (), [LOST], (), ("a",)),
        ([key("a"), key("b", -timedelta(days=1))], (), [LOST, mint(5)], ("a",), ("b",)),
        ([key("a", -timedelta(days=1))], (), [mint(begun_at=BEGUN - timedelta(days=1)), mint(5)], ("a",), ()),
    ],
)
def test_keys_are_attributed(
    keys: list[AccessKeyRecord],
    known: tuple[str, ...],
    mints: list[Mint],
    ours: tuple[str, ...],
    unattributed: tuple[str, ...],
) -> None:
    """An unknown key is ours if there are no more than lost mints, and if one could have made it then."""
    assert attribute_keys(keys, known, mints, VALIDITY) == AttributedKeys(ours, unattributed)


LANDING = timedelta(seconds=15)
SET = mint(6, MintState.MADE, kind=MintKind.CONSOLE_PASSWORD)
LATER = replace(SET, begun_at=BEGUN + 2 * MINUTE)
OURS, DOUBTFUL, NOT_OURS = PasswordOrigin.OURS, PasswordOrigin.DOUBTFUL, PasswordOrigin.NOT_OURS


@pytest.mark.parametrize(
    ("after", "mints", "others", "origin"),
    [
        (timedelta(), [PASSWORD], [], OURS),
        (timedelta(), [SET], [], OURS),
        (LANDING + MINUTE, [PASSWORD], [], OURS),
        (-2 * MINUTE, [PASSWORD], [], NOT_OURS),
        (2 * MINUTE, [PASSWORD], [], DOUBTFUL),
        (2 * MINUTE, [SET], [], NOT_OURS),
        (VALIDITY + MINUTE, [PASSWORD], [], DOUBTFUL),
        (VALIDITY + 2 * MINUTE, [PASSWORD], [], NOT_OURS),
        (MINUTE, [PASSWORD], [LATER], DOUBTFUL),
        (timedelta(), [PASSWORD], [LATER], OURS),
        (2 * MINUTE, [SET], [LATER], NOT_OURS),
        (timedelta(), [], [SET], NOT_OURS),
        (timedelta(), [], [], NOT_OURS),
    ],
)
def test_passwords_are_attributed(
    after: timedelta, mints: list[Mint], others: list[Mint], origin: PasswordOrigin
) -> None:
    """A password is ours if our call alone was on its way then, and doubtful while our signature was valid still."""
    assert attribute_password(BEGUN + after, mints, others, LANDING, VALIDITY) is origin


OFFSETS = st.integers(-3600, 3600).map(lambda seconds: timedelta(seconds=seconds))
NAMES = st.sampled_from("abcdef")
KEYS = st.lists(st.builds(key, NAMES, OFFSETS), max_size=6, unique_by=lambda record: record.access_key_id)
MINTS = st.lists(
    st.builds(
        lambda kind, state, after: mint(kind=kind, state=state, begun_at=BEGUN + after),
        st.sampled_from(MintKind),
        st.sampled_from(MintState),
        OFFSETS,
    ),
    max_size=6,
)


@given(KEYS, st.sets(NAMES), MINTS)
def test_no_more_is_taken_than_was_asked_for(keys: list[AccessKeyRecord], known: set[str], mints: list[Mint]) -> None:
    """Never more keys than lost mints, never a known one, none outside of a window, and every unknown one is told."""
    found = attribute_keys(keys, known, mints, VALIDITY)
    lost = [one for one in mints if one.kind is MintKind.ACCESS_KEY and one.state is MintState.UNANSWERED]
    created = {record.access_key_id: record.created_at for record in keys}
    assert len(found.ours) <= len(lost)
    assert sorted(found.ours + found.unattributed) == sorted(set(created) - known)
    for key_id in found.ours:
        assert any(could_have_made(one, created[key_id], VALIDITY) for one in lost)


@given(KEYS, st.sets(NAMES), MINTS)
def test_the_order_of_a_list_means_nothing(keys: list[AccessKeyRecord], known: set[str], mints: list[Mint]) -> None:
    """The same keys in another order are attributed alike."""
    one = attribute_keys(keys, known, mints, VALIDITY)
    other = attribute_keys(keys[::-1], known, mints[::-1], VALIDITY)
    assert (set(one.ours), set(one.unattributed)) == (set(other.ours), set(other.unattributed))
