"""The client's checks: the contract's own patterns and lengths, so that nothing good is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given
from hypothesis import strategies as st

from identity_client.cli import checks
from identity_client.cli.checks import TextRule

IMAGE = Path(__file__).resolve().parents[3] / "service" / "identity_service" / "rpc" / "contract.binpb"
PACKAGE = "identity_provisioning.v1"


@pytest.fixture(scope="module")
def constraints() -> dict[str, Any]:
    """Read the constraints of every field from the contract's image, in a pool of its own that knows validate.proto."""
    content = IMAGE.read_bytes()
    pool = DescriptorPool()
    for file_descriptor in FileDescriptorSet.FromString(content).file:
        pool.AddSerializedFile(file_descriptor.SerializeToString())
    knowing: Any = GetMessageClass(pool.FindMessageTypeByName("google.protobuf.FileDescriptorSet"))
    extension = pool.FindExtensionByName("buf.validate.field")
    return {
        f"{message.name}.{field.name}": field.options.Extensions[extension]
        for file_descriptor in knowing.FromString(content).file
        if file_descriptor.package == PACKAGE
        for message in file_descriptor.message_type
        for field in message.field
    }


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (checks.USER_NAME, "UserSpec.user_name"),
        (checks.USER_NAME, "PermissionSpec.copy_from_user_name"),
        (checks.PATH, "UserSpec.path"),
        (checks.PATH, "NewGroup.path"),
        (checks.PATH, "NewPolicy.path"),
        (checks.POLICY, "PermissionSpec.permissions_boundary"),
        (checks.POLICY_NAME, "InlinePolicy.policy_name"),
        (checks.POLICY_NAME, "NewPolicy.policy_name"),
        (checks.GROUP_NAME, "NewGroup.group_name"),
        (checks.DESCRIPTION, "NewPolicy.description"),
        (checks.DEVICE_NAME, "MfaDeviceSpec.device_name"),
        (checks.TAG_KEY, "Tag.key"),
        (checks.TAG_VALUE, "Tag.value"),
    ],
)
def test_a_text_rule_is_the_contracts(constraints: dict[str, Any], rule: TextRule, field: str) -> None:
    """Pattern and lengths are those of the field, letter for letter."""
    text = constraints[field].string
    longest = text.max_len if text.HasField("max_len") else None
    assert (rule.pattern, rule.shortest, rule.longest) == (text.pattern, text.min_len, longest)


@pytest.mark.parametrize(
    ("rule", "most", "field"),
    [
        (checks.GROUP_NAME, checks.MOST_GROUPS, "PermissionSpec.group_names"),
        (checks.POLICY, checks.MOST_POLICIES, "PermissionSpec.managed_policies"),
        (checks.POLICY, checks.MOST_POLICIES_OF_A_GROUP, "NewGroup.managed_policies"),
        (None, checks.MOST_INLINE_POLICIES, "PermissionSpec.inline_policies"),
        (None, checks.MOST_NEW_GROUPS, "PermissionSpec.new_groups"),
        (None, checks.MOST_NEW_POLICIES, "PermissionSpec.new_policies"),
        (None, checks.MOST_TAGS, "UserSpec.tags"),
    ],
)
def test_a_lists_rule_is_the_contracts(
    constraints: dict[str, Any], rule: TextRule | None, most: int, field: str
) -> None:
    """So are the number of entries, and each entry's pattern."""
    found = constraints[field].repeated
    assert found.max_items == most
    assert rule is None or found.items.string.pattern == rule.pattern


def test_a_documents_length_is_the_contracts(constraints: dict[str, Any]) -> None:
    """A longer document is refused before it is sent."""
    for field in ("InlinePolicy.document", "NewPolicy.document"):
        assert constraints[field].string.max_len == checks.LARGEST_DOCUMENT


def test_the_reserved_prefixes_are_the_contracts(constraints: dict[str, Any]) -> None:
    """The prefixes that a caller may not use are those of the contract's expression."""
    (rule,) = constraints["Tag.key"].cel
    prefixes = "|".join(prefix.removesuffix(":") for prefix in checks.TAG_KEY.reserved)
    assert f"(?i)^({prefixes}):" in rule.expression


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (checks.USER_NAME, ["a", "=+,.@_-", "x" * 64], ["x" * 65, "a b", "ä", "a\n", "a/b"]),
        (checks.PATH, ["/", "/a/", "/a/b/", f"/{'x' * 510}/"], ["a/", "/a", "/a b/", f"/{'x' * 511}/", "/a/\n"]),
        (
            checks.POLICY,
            ["ReadOnlyAccess", "arn:aws-cn:iam::123456789012:policy/x/y", "arn:aws:iam::aws:policy/job-function/B"],
            ["arn:aws:iam::1:policy/x", "arn:aws:s3:::x", "a b"],
        ),
        (checks.TAG_KEY, ["team", "日本", "a b", "x" * 128], ["x" * 129, "a!", "AWS:x", "Identity-Provisioning:row"]),
        (checks.TAG_VALUE, ["", "a\u00a0b", "½", "x" * 256], ["x" * 257, "a\tb", "a\u200db", "😀"]),
        (checks.EMAIL, ["a@b.c"], ["a", "a@b@c", "x" * 250 + "@b.c"]),
    ],
)
def test_good_texts_pass_and_bad_ones_are_named(rule: TextRule, good: list[str], bad: list[str]) -> None:
    """A complaint quotes the text and says what it should be."""
    assert [text for text in good if rule.complaint(text)] == []
    assert all(rule.complaint(text).startswith(repr(text)) for text in bad)


@given(text=st.text(max_size=80))
def test_no_rule_stumbles(text: str) -> None:
    """Whatever the text is, the answer is a sentence or nothing."""
    for rule in (checks.USER_NAME, checks.PATH, checks.POLICY, checks.TAG_KEY, checks.TAG_VALUE, checks.EMAIL):
        assert isinstance(rule.complaint(text), str)
