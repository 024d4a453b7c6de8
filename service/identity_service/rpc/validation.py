"""Whether a request is well formed: the constraints that the contract states, and no field that is not in it.

The constraints stand in `contract.binpb`, the contract's full image, which is loaded into a private descriptor
pool: the registered messages carry no constraints, so that a client needs no `buf` package. A message is read again
as the pool's class before it is checked.
"""

from collections.abc import Iterator, Sequence
from importlib import resources

from google.protobuf import message_factory, unknown_fields
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from protovalidate import Validator, Violation

from identity_service.domain.errors import FieldViolation, IdentityError, Reason
from identity_service.rpc.fields import indexed, present_messages
from identity_service.rpc.patterns import PATTERNS

CONTRACT = "contract.binpb"
MOST_PARTS = 5_000
"""Up to so many values in a request everything that is wrong is looked for: each violation takes a tenth of a
millisecond, on the event loop, and nobody reads more than some dozens. Of larger ones the first one found is told."""
UNKNOWN_FIELD = "this server does not know a field of this number"


class RequestValidator:
    """Checks requests. Build one: it compiles the constraints of each message type once."""

    def __init__(self) -> None:
        self._pool = load_contract()
        self._validator = Validator()

    def check(self, request: Message, others: Sequence[FieldViolation] = ()) -> None:
        """Raise IdentityError INVALID_FIELD that names everything that is wrong with a request, `others` first."""
        violations = (*others, *self._broken_constraints(request), *_unknown_fields(request))
        if violations:
            raise IdentityError(
                Reason.INVALID_FIELD,
                f"the request is not well formed: {len(violations)} field violation{'s' if violations[1:] else ''}",
                field_violations=violations,
            )

    def _broken_constraints(self, request: Message) -> Iterator[FieldViolation]:
        descriptor = self._pool.FindMessageTypeByName(request.DESCRIPTOR.full_name)
        constrained = message_factory.GetMessageClass(descriptor).FromString(request.SerializeToString())
        found = self._validator.collect_violations(constrained, fail_fast=True)
        if found and _parts(request) <= MOST_PARTS:
            found = self._validator.collect_violations(constrained)
        for violation in found:
            # Neither protovalidate nor the contract's own expressions quote a value, so no secret is repeated.
            yield FieldViolation(_path(violation), _words(violation))


def _parts(request: Message) -> int:
    """Count the values in a request, those of repeated fields each."""
    fields = (field for _, message in present_messages(request) for field in message.ListFields())
    return sum(len(value) if field.is_repeated else 1 for field, value in fields)


def load_contract() -> DescriptorPool:
    """Load the contract with its constraints into a pool of its own."""
    pool = DescriptorPool()
    image = resources.files("identity_service.rpc").joinpath(CONTRACT).read_bytes()
    for file in FileDescriptorSet.FromString(image).file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


def _words(violation: Violation) -> str:
    """Say what is wrong; a pattern is for programs, so it is put into words."""
    if violation.proto.rule_id != "string.pattern":
        return violation.proto.message
    return PATTERNS.get(str(violation.rule_value), violation.proto.message)


def _path(violation: Violation) -> str:
    """Write where a violation is, such as `user.tags[0].key`."""
    field = violation.proto.field
    return ".".join(
        indexed(element.field_name, element.subscript.value if element.subscript else None)
        for element in (field.elements if field else ())
    )


def _unknown_fields(request: Message) -> Iterator[FieldViolation]:
    """Name each field that this server's contract does not have: to ignore it could do other than was asked."""
    for prefix, message in present_messages(request):
        unknown = unknown_fields.UnknownFieldSet(message)
        for index in range(len(unknown)):
            yield FieldViolation(f"{prefix}{unknown[index].field_number}", UNKNOWN_FIELD)
