"""Walking over the fields of a message, with paths as `BadRequest` writes them: `user.tags[0].key`."""

from collections.abc import Iterator

from google.protobuf.message import Message


def indexed(field_name: str, subscript: object | None) -> str:
    """Write a field's name with the index or map key of one element of it."""
    return field_name if subscript is None else f"{field_name}[{subscript}]"


def present_messages(message: Message, prefix: str = "") -> Iterator[tuple[str, Message]]:
    """Yield a message and each message inside it, with the prefix of the paths of their fields.

    The contract's requests have no map fields; a test holds that.
    """
    yield prefix, message
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.is_repeated:
            for index, element in enumerate(value):
                yield from present_messages(element, f"{prefix}{indexed(field.name, index)}.")
        else:
            yield from present_messages(value, f"{prefix}{field.name}.")
