"""The API's guide is whole: it has everything that the contract declares, and its links lead somewhere."""

import re
from collections import Counter
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

PACKAGE = "identity_provisioning.v1"
REASON = re.compile(r'^\| <a id="(?P<anchor>[a-z_]+)"></a>`(?P<name>[A-Z_]+)` \| (?P<status>[A-Z_]*) ?\|', re.MULTILINE)
# The statuses of gRPC that an error can have.
STATUSES = {
    "ABORTED",
    "ALREADY_EXISTS",
    "CANCELLED",
    "DATA_LOSS",
    "DEADLINE_EXCEEDED",
    "FAILED_PRECONDITION",
    "INTERNAL",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "OUT_OF_RANGE",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "UNAUTHENTICATED",
    "UNAVAILABLE",
    "UNIMPLEMENTED",
    "UNKNOWN",
}


@pytest.fixture(scope="module")
def guide(root: Path) -> str:
    """The guide as it is checked in."""
    return (root / "docs" / "api.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def files(root: Path) -> list[descriptor_pb2.FileDescriptorProto]:
    """The contract's own files as the server has them."""
    image = (root / "service/identity_service/rpc/contract.binpb").read_bytes()
    return [file for file in descriptor_pb2.FileDescriptorSet.FromString(image).file if file.package == PACKAGE]


@pytest.fixture(scope="module")
def sections(guide: str) -> dict[str, str]:
    """The text under each heading, up to the next one."""
    _, *parts = re.split(r"^#+ (.+)$", guide, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_link_leads_somewhere(guide: str) -> None:
    """Each link goes to a heading or a row of the guide."""
    targets = re.findall(r"\]\(([^)]*)\)", guide)
    assert targets
    assert [target for target in targets if target.removeprefix("#") not in _anchors(guide)] == []


def test_no_two_places_have_one_anchor(guide: str) -> None:
    """Headings and rows are named apart, so that a link has one target."""
    assert [anchor for anchor, count in Counter(_anchors(guide)).items() if count > 1] == []


def test_every_rpc_is_told(files: list[descriptor_pb2.FileDescriptorProto], sections: dict[str, str]) -> None:
    """Each RPC has a section with its errors and permissions, followed by its request and its response."""
    names = list(sections)
    for method in (method for file in files for service in file.service for method in service.method):
        place = names.index(method.name)
        assert names[place + 1 : place + 3] == [f"{method.name}Request", f"{method.name}Response"]
        assert "\nErrors, by gRPC status:\n\n- " in sections[method.name], method.name
        assert "\nIAM permissions: " in sections[method.name], method.name


def test_rpcs_stand_in_their_order(files: list[descriptor_pb2.FileDescriptorProto], sections: dict[str, str]) -> None:
    """The RPCs of a service follow it in the order in which it declares them."""
    for service in (service for file in files for service in file.service):
        methods = [method.name for method in service.method]
        assert [name for name in sections if name in {service.name, *methods}] == [service.name, *methods]


def test_every_field_is_told(files: list[descriptor_pb2.FileDescriptorProto], sections: dict[str, str]) -> None:
    """Each message has a section with a row for each of its fields, in order."""
    for message in (message for file in files for message in file.message_type):
        rows = re.findall(r"^\| `(\w+)` \|", sections[message.name], re.MULTILINE)
        assert rows == [field.name for field in message.field], message.name


def test_every_enum_is_told(files: list[descriptor_pb2.FileDescriptorProto], sections: dict[str, str]) -> None:
    """Each enum but that of the error reasons has a section with a row for each of its values."""
    enums = {enum.name: enum for file in files for enum in file.enum_type if enum.name != "ErrorReason"}
    nested = [(message, enum) for file in files for message in file.message_type for enum in message.enum_type]
    enums |= {f"{message.name}.{enum.name}": enum for message, enum in nested}
    for name, enum in enums.items():
        rows = re.findall(r"^\| `(\w+)` \| (\d+) \| \S", sections[name], re.MULTILINE)
        assert rows == [(value.name, str(value.number)) for value in enum.value], name


def test_every_reason_has_its_status(files: list[descriptor_pb2.FileDescriptorProto], sections: dict[str, str]) -> None:
    """Each error reason has a row with the gRPC status that it comes with."""
    (reasons,) = (enum for file in files for enum in file.enum_type if enum.name == "ErrorReason")
    rows = list(REASON.finditer(sections["ErrorReason"]))
    assert [f"ERROR_REASON_{row['name']}" for row in rows] == [value.name for value in reasons.value]
    assert [row["name"] for row in rows if row["status"] not in STATUSES] == ["UNSPECIFIED"]


def test_errors_of_rpcs_are_reasons(sections: dict[str, str]) -> None:
    """Each error that an RPC lists is a reason, under the status that the reason's row says."""
    status_of = {row["name"]: row["status"] for row in REASON.finditer(sections["ErrorReason"])}
    for name, text in sections.items():
        for status, errors in re.findall(r"^- ([^:\n]+): (.+)$", text, re.MULTILINE):
            listed = re.sub(r" \([^)]*\)", "", errors).split(", ")  # without notes such as " (the user to copy)"
            assert [error for error in listed if not _is_reason(error, status, status_of)] == [], name


@pytest.mark.parametrize(
    ("message", "row"),
    [
        ("GetUserRequest", "| `account_id` | `string` | optional, matches `^[0-9]{12}$` | "),
        ("CreateUserRequest", "| `request_id` | `string` | required, a UUID | "),
        ("CreateUserRequest", "| `tags` | list of [Tag](#tag) | optional, at most 50 items | "),
        ("InlinePolicy", "| `document` | `string` | required, 1 to 32,768 characters | "),
        ("ListUsersRequest", "| `page_size` | `int32` | optional, 0 to 1,000 | "),
        ("IssuedAccessKey", "| `secret_access_key` | `string` | **secret** | "),
        ("GetAccountResponse", "| `account` | [Account](#account) | "),
        ("User", "| `create_time` | `google.protobuf.Timestamp` | "),
    ],
)
def test_types_and_rules_are_in_words(message: str, row: str, sections: dict[str, str]) -> None:
    """A field's row says its type, with a link where it is ours, and what the contract demands of it."""
    assert f"\n{row}" in sections[message]


def test_patterns_keep_their_cell(sections: dict[str, str]) -> None:
    """A bar in a pattern does not end its cell: each row has as many cells as its table's head."""
    for name, text in sections.items():
        cells = [len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")]
        assert len(set(cells)) <= 1, name


def _anchors(guide: str) -> list[str]:
    """Name the anchors as Markdown viewers do: small letters, hyphens for spaces, no punctuation."""
    headings = [re.sub(r"[^\w -]", "", heading) for heading in re.findall(r"^#+ (.+)$", guide, re.MULTILINE)]
    rows = re.findall(r'<a id="([^"]*)">', guide)
    return [heading.lower().replace(" ", "-") for heading in headings] + rows


def _is_reason(error: str, status: str, status_of: dict[str, str]) -> bool:
    linked = re.fullmatch(r"\[([A-Z_]+)\]\(#([a-z_]+)\)", error)
    return linked is not None and status_of.get(linked[1]) == status and linked[2] == linked[1].lower()
