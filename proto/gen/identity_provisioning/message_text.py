# Generated: a copy of proto/message_text.py.
"""Messages of the contract without their secrets, wherever one is made into text: protobuf ignores `debug_redact`.

A second line of defence, as redaction is for logs: nothing should write a message in the first place. Every generated
module asks it to look after its messages, so that no program has to.
"""

from collections.abc import Iterable, Iterator

from google.protobuf import text_format
from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

WAYS = ("__repr__", "__str__")


def hide_secrets(file: FileDescriptor) -> None:
    """Let the messages of a file leave their secrets, and those of their parts, out of their text."""
    for descriptor in _with_inner(file.message_types_by_name.values()):
        for way in WAYS:
            setattr(GetMessageClass(descriptor), way, text_without_secrets)


def text_without_secrets(message: Message) -> str:
    """Write a message as protobuf does, with its secrets left out."""
    shown = type(message)()
    shown.CopyFrom(message)
    _clear_secrets(shown)
    return text_format.MessageToString(shown)


def _with_inner(messages: Iterable[Descriptor]) -> Iterator[Descriptor]:
    for message in messages:
        if not message.GetOptions().map_entry:
            yield message
            yield from _with_inner(message.nested_types)


def _clear_secrets(message: Message) -> None:
    for field, value in message.ListFields():
        if field.GetOptions().debug_redact:
            message.ClearField(field.name)
        elif field.message_type is not None:
            for inner in value if field.is_repeated else [value]:
                if isinstance(inner, Message):
                    _clear_secrets(inner)
