"""Every rule that the contract has for a mutation's request, derived from the contract so that none is missed."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.api.field_behavior_pb2 import REQUIRED, field_behavior
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status

from identity_service.rpc.credential_service import CredentialService
from identity_service.rpc.not_built import not_built
from identity_service.rpc.operation_service import OperationService
from identity_service.rpc.permission_service import PermissionService
from identity_service.rpc.services import FILES
from identity_service.rpc.user_service import UserService
from identity_service.rpc.validation import load_contract
from tests.integration.conftest import Account, document, reason_of

PACKAGE = "identity_provisioning.v1"
ABSENT = object()
"""Leave the field out."""
DOCUMENT = document({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"})

Path = tuple[FieldDescriptor, ...]

GOOD: dict[str, Any] = {
    "user_name": "ana",
    "group_name": "readers",
    "policy_name": "read",
    "policy_arn": "arn:aws:iam::123456789012:policy/read",
    "document": DOCUMENT,
    "key": "team",
    "serial_number": "arn:aws:iam::123456789012:mfa/ana",
    "first_code": "123456",
    "second_code": "654321",
    "access_key_id": "AKIAIOSFODNN7EXAMPLE",
    "state": 1,
    "user": {"user_name": "ana"},
    "group": {"group_name": "readers"},
    "policy": {"policy_name": "read", "document": DOCUMENT},
    "permissions": {"group_names": ["readers"]},
    "credentials": {"access_key": True},
    "console_password": {},
    "operation_id": "7e57ab1e-6c1d-4f0e-9a54-3f6d0c2b7e11",
    "users": [{"user_name": "ana"}],
}
"""What a required field holds where another one is bad."""

NAMES_OF_64 = ("a b", "a" * 65, "añá", "a/b", "a\n")
NAMES_OF_128 = ("a b", "a" * 129, "añá", "a/b", "a\n")
PATHS = ("people", "/people", "people/", "/a b/", "/é/", f"/{'a' * 511}/")
POLICIES = ("a b", "a" * 129, "arn:aws:iam::12:policy/x", "arn:aws:iam::123456789012:user/x", "arn:aws:s3:::bucket")
DOCUMENTS = ("", "x" * 32_769)
CODES = ("", "12345", "1234567", "12345a", "١٢٣٤٥٦")


def lists(items: Sequence[str], *, most: int, good: str = "item") -> tuple[Any, ...]:
    """Name bad lists: one of each bad item, one entry twice, one entry too many."""
    return (*([item] for item in items), [good, good], [f"{good}{number}" for number in range(most + 1)])


BAD: dict[str, tuple[Any, ...]] = {
    "account_id": ("12", "1234567890123", "12345678901a"),
    "request_id": ("", "not-a-uuid", "00000000-0000-0000-0000-00000000000"),
    "expected_plan_digest": ("x", "0" * 63, "0" * 65, "A" * 64),
    "user_name": ("", *NAMES_OF_64),
    "new_user_name": NAMES_OF_64,
    "copy_from_user_name": NAMES_OF_64,
    "group_name": ("", *NAMES_OF_128),
    "policy_name": ("", *NAMES_OF_128),
    "path": PATHS,
    "new_path": PATHS,
    "policy_arn": ("", "read", "arn:aws:iam::12:policy/x", "arn:aws:iam::123456789012:user/x"),
    "description": ("x" * 1001,),
    "document": DOCUMENTS,
    "permissions_boundary": POLICIES,
    "group_names": lists(("", *NAMES_OF_128), most=100),
    "inline_policy_names": lists(("", *NAMES_OF_128), most=100),
    "PermissionSpec.managed_policies": lists(("", *POLICIES), most=100),
    "RevokePermissionsRequest.managed_policies": lists(("", *POLICIES), most=100),
    "NewGroup.managed_policies": lists(("", *POLICIES), most=10),
    "inline_policies": ([{"policy_name": f"p{number}", "document": "{}"} for number in range(51)],),
    "new_groups": ([{"group_name": f"g{number}"} for number in range(11)],),
    "new_policies": ([{"policy_name": f"p{number}", "document": "{}"} for number in range(11)],),
    "self_management": (4, -1),
    "tags": ([{"key": f"k{number}"} for number in range(51)],),
    "set_tags": ([{"key": f"k{number}"} for number in range(51)],),
    "remove_tag_keys": lists(("", "k" * 129), most=50),
    "key": ("", "k" * 129, "a,b", "a\tb", "aws:x", "AWS:x", "identity-provisioning:owner", "Identity-Provisioning:x"),
    "value": ("v" * 257, "a,b", "a\tb"),
    "custom_password": ("x" * 129, "\x00", "pass\u0100word"),
    "device_name": ("a b", "a" * 227, "añá", "a/b"),
    "serial_number": ("", "x" * 8, "x" * 257),
    "first_code": CODES,
    "second_code": CODES,
    "access_key_id": ("AKIA", "a" * 20, "A" * 129, "AKIA-IOSFODNN7EXAMPLE"),
    "state": (0, 3),
    "recipients": lists(("", "x" * 1025), most=20),
    "user": (ABSENT,),
    "group": (ABSENT,),
    "policy": (ABSENT,),
    "permissions": (ABSENT,),
    "console_password": (ABSENT,),
    "credentials": (ABSENT, {}),
    "operation_id": ("", "not-a-uuid"),
    "sequence_number": (-1,),
    "users": (ABSENT, [{"user_name": f"u{number}"} for number in range(1001)]),
}
"""Bad values by field, as `Message.field` where fields of one name have different rules."""

SERVICERS = (UserService, CredentialService, PermissionService, OperationService)
MUTATIONS = [
    method
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
    if "request_id" in method.input_type.fields_by_name
]
BUILT = [
    method
    for method in MUTATIONS
    if any(getattr(servicer, method.name, not_built) is not not_built for servicer in SERVICERS)
]
PARAMETERS = [pytest.param(method, id=method.name) for method in BUILT]


def constrained_fields(message: Descriptor, above: Path = ()) -> Iterator[Path]:
    """Yield the way to each field of a message, however deep, that the contract has a rule for."""
    rules = RULES.get(message.full_name, set())
    for field in message.fields:
        path = (*above, field)
        if field.name in rules:
            yield path
        if field.message_type and field.message_type.file.package == PACKAGE:
            yield from constrained_fields(field.message_type, path)


def read_rules() -> dict[str, set[str]]:
    """Read out of the server's copy of the contract which fields of which message have a rule."""
    pool = load_contract()
    rule: Any = pool.FindExtensionByName("buf.validate.field")
    options = GetMessageClass(pool.FindMessageTypeByName("google.protobuf.FieldOptions"))

    def is_constrained(field: FieldDescriptor) -> bool:
        # The pool's options are of a class that does not know the extension; read again, they are.
        return bool(options.FromString(field.GetOptions().SerializeToString()).HasExtension(rule))

    rules: dict[str, set[str]] = {}
    for file in FILES:
        for name in (file.DESCRIPTOR.name, *(imported.name for imported in file.DESCRIPTOR.dependencies)):
            for message in pool.FindFileByName(name).message_types_by_name.values():
                rules[message.full_name] = {field.name for field in message.fields if is_constrained(field)}
    return rules


RULES = read_rules()


def bad_values(field: FieldDescriptor) -> tuple[Any, ...]:
    """Return the bad values of a field; empty if nobody has written any."""
    _, message, name = field.full_name.rsplit(".", 2)
    return BAD.get(f"{message}.{name}", BAD.get(name, ()))


def body(message: Descriptor, path: Path, value: Any) -> dict[str, Any]:
    """Write a message that is good but for one value."""
    good = {field.name: GOOD[field.name] for field in message.fields if is_required(field) and field.name in GOOD}
    field, *rest = path
    inner = body(field.message_type, tuple(rest), value) if rest and field.message_type else value
    good[field.name] = [inner] if rest and field.is_repeated else inner
    return {name: part for name, part in good.items() if part is not ABSENT}


def is_required(field: FieldDescriptor) -> bool:
    """Tell whether the contract asks for a field."""
    return REQUIRED in field.GetOptions().Extensions[field_behavior]


def in_words(path: Path) -> str:
    """Write a path as violations do, its lists at their first element."""
    inner = [f"{field.name}[0]" if field.is_repeated else field.name for field in path[:-1]]
    return ".".join([*inner, path[-1].name])


def rpc(channel: grpc.Channel, method: MethodDescriptor) -> Any:
    """Return what calls a method."""
    return channel.unary_unary(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=lambda request: request.SerializeToString(),
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )


def violated(error: grpc.RpcError) -> set[str]:
    """Read which fields an answer finds fault with."""
    metadata: Any = error.trailing_metadata()
    bad = BadRequest()
    for detail in Status.FromString(dict(metadata)["grpc-status-details-bin"]).details:
        detail.Unpack(bad)
    return {violation.field for violation in bad.field_violations}


@pytest.mark.parametrize("method", PARAMETERS)
def test_every_constrained_field_has_a_bad_value(method: MethodDescriptor) -> None:
    """A field that gets a rule and no bad value fails here."""
    paths = list(constrained_fields(method.input_type))
    common = {"account_id", "request_id", "expected_plan_digest"} & set(method.input_type.fields_by_name)
    assert {"account_id", "request_id"} <= common <= {in_words(path) for path in paths}
    assert [in_words(path) for path in paths if not bad_values(path[-1])] == []


@pytest.mark.parametrize("method", PARAMETERS)
def test_each_bad_value_is_refused_by_its_field_before_aws_is_asked(
    server: str, account: Account, method: MethodDescriptor
) -> None:
    """Every bad value of every constrained field is INVALID_FIELD, names just that field, and costs no call of AWS."""
    before = account.aws.dump()
    with grpc.insecure_channel(server) as channel:
        for path in constrained_fields(method.input_type):
            for value in bad_values(path[-1]):
                fields = body(method.input_type, path, value)
                fields.setdefault("request_id", str(uuid4()))
                with pytest.raises(grpc.RpcError) as caught:
                    rpc(channel, method)(GetMessageClass(method.input_type)(**fields), timeout=20)
                error = caught.value
                case = f"{in_words(path)} = {value!r:.80}"
                assert error.code() is grpc.StatusCode.INVALID_ARGUMENT, case
                assert reason_of(error) == "INVALID_FIELD", case
                assert {field.removesuffix("[0]").removesuffix("[1]") for field in violated(error)} == {
                    in_words(path)
                }, case
    assert account.aws.calls() == []
    assert account.aws.dump() == before


def test_the_good_values_are_good(server: str, account: Account) -> None:
    """What is put beside a bad value is not refused for its form, so that a refusal is the bad value's."""
    with grpc.insecure_channel(server) as channel:
        for method in BUILT:
            fields = body(method.input_type, (method.input_type.fields_by_name["request_id"],), str(uuid4()))
            request = GetMessageClass(method.input_type)(**fields, validate_only=True)
            if "plan" in method.output_type.fields_by_name:
                assert rpc(channel, method)(request, timeout=20).HasField("plan"), method.name
            elif "operation_id" in fields:
                with pytest.raises(grpc.RpcError) as unknown:
                    rpc(channel, method)(request, timeout=20)
                assert reason_of(unknown.value) == "OPERATION_NOT_FOUND", method.name
            else:
                assert rpc(channel, method)(request, timeout=20).HasField("operation"), method.name
