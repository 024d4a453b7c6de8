"""Messages of the contract without their secrets, wherever one is made into text: protobuf ignores `debug_redact`.

A second line of defence, as redaction is for logs: nothing should write a message in the first place.
"""

from collections.abc import Iterable, Iterator

from google.protobuf import text_format
from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

WAYS = ("__repr__", "__str__")


def hide_secrets(files: Iterable[FileDescriptor]) -> None:
    """Let the messages of some files, and those inside them, leave their secrets out of their text."""
    seen: set[str] = set()
    for file in files:
        for message in file.message_types_by_name.values():
            for descriptor in _with_inner(message, seen):
                for way in WAYS:
                    setattr(GetMessageClass(descriptor), way, text_without_secrets)


def text_without_secrets(message: Message) -> str:
    """Write a message as protobuf does, with its secrets left out."""
    shown = type(message)()
    shown.CopyFrom(message)
    _clear_secrets(shown)
    return text_format.MessageToString(shown)


def _with_inner(message: Descriptor, seen: set[str]) -> Iterator[Descriptor]:
    if message.full_name in seen:
        return
    seen.add(message.full_name)
    yield message
    for field in message.fields:
        if field.message_type is not None and not field.message_type.GetOptions().map_entry:
            yield from _with_inner(field.message_type, seen)


def _clear_secrets(message: Message) -> None:
    for field, value in message.ListFields():
        if field.GetOptions().debug_redact:
            message.ClearField(field.name)
        elif field.message_type is not None:
            for inner in value if field.is_repeated else [value]:
                if isinstance(inner, Message):
                    _clear_secrets(inner)
