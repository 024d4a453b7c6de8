"""Tags: ours are always there, a caller's never look like them."""

from hypothesis import given
from hypothesis import strategies as st

from identity_service.domain import tags

keys = st.text("abcdefghijk-ABCDEFGHIJK", min_size=1, max_size=20)


@given(st.sampled_from(["identity-provisioning:", "IDENTITY-Provisioning:", "aws:", "AWS:"]), keys)
def test_a_reserved_prefix_is_refused_in_any_letter_case(prefix: str, rest: str) -> None:
    """No caller can set a tag that this service or AWS reserves."""
    found = tags.violations([(prefix + rest, "x")], "tags")
    assert [violation.field for violation in found] == ["tags[0].key"]


@given(keys)
def test_a_key_twice_is_refused_in_any_letter_case(key: str) -> None:
    """IAM does not tell keys apart by letter case, so both places are named."""
    found = tags.violations([(key.lower(), "x"), ("other", "y"), (key.upper(), "z")], "user.tags")
    assert {violation.field for violation in found} == {"user.tags[0].key", "user.tags[2].key"}


def test_our_own_tags_count_against_the_fifty() -> None:
    """48 tags of a caller fit beside our two, 49 do not."""
    many = [(f"k{number}", "v") for number in range(49)]
    assert tags.violations(many[:48], "tags") == []
    assert [violation.field for violation in tags.violations(many, "tags")] == ["tags"]


def test_the_owner_is_read_from_the_owner_tag() -> None:
    """A user belongs to the team in its owner tag, and to nobody without one."""
    assert tags.owner_of(dict(tags.service_tags("row", "people-team"))) == "people-team"
    assert tags.owner_of({"owner": "people-team"}) == ""
