"""An identity service in this process: real gRPC on the loopback, a dictionary in the place of AWS.

It keeps a ledger of provisioned users as the contract asks for: the same request_id has the same outcome once, and a
replay withholds the secrets unless new ones are asked for. What a test wants to go wrong it scripts with `fail`.
"""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from identity_client._contract import methods
from identity_provisioning.v1.account_pb2 import Account, PasswordPolicy, Quota
from identity_provisioning.v1.account_service_pb2 import GetAccountRequest, GetAccountResponse
from identity_provisioning.v1.credential_service_pb2 import (
    CreateCredentialsRequest,
    CreateCredentialsResponse,
    CreateMfaDeviceRequest,
    CreateMfaDeviceResponse,
)
from identity_provisioning.v1.error_pb2 import ErrorReason
from identity_provisioning.v1.operation_pb2 import Operation
from identity_provisioning.v1.operation_service_pb2 import WatchOperationResponse
from identity_provisioning.v1.plan_pb2 import ExecutedStep, Plan, PlanProblem, PlanStep, PlanWarning, QuotaUse
from identity_provisioning.v1.user_pb2 import User, UserSpec
from identity_provisioning.v1.user_service_pb2 import (
    DeleteUserRequest,
    DeleteUserResponse,
    GetUserRequest,
    GetUserResponse,
    ProvisionUserRequest,
    ProvisionUserResponse,
)

ACCOUNT = "123456789012"
SIGN_IN_URL = f"https://{ACCOUNT}.signin.aws.amazon.com/console"
SECRET_KEY = "+wJalrXUtnFEMI/K7MDENG"
PASSWORD = 'correct,Horse"battery7'
MFA_PICTURE = b"\x89PNG\r\n\x1a\nQR"
SERIAL = f"arn:aws:iam::{ACCOUNT}:mfa/ana"
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
PAGE = 2
Answer = Callable[[Any, grpc.ServicerContext], Message]


@dataclass(frozen=True)
class Failure:
    """How a call is to fail; without a reason it looks like a proxy's or the transport's answer.

    A silent one is no answer at all: the call hangs until the client gives it up.
    """

    code: grpc.StatusCode
    reason: str = ""
    message: str = "it went wrong"
    metadata: dict[str, str] = field(default_factory=dict)
    retry_after: float | None = None
    more_details: tuple[Message, ...] = ()
    after_work: bool = False
    silent: bool = False
    trailing: tuple[tuple[str, bytes], ...] = ()

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        """Answer the status details as they travel."""
        details: list[Message] = list(self.more_details)
        if self.reason:
            details.append(
                error_details_pb2.ErrorInfo(reason=self.reason, domain="identity-provisioning", metadata=self.metadata)
            )
        if self.retry_after is not None:
            delay = Duration()
            delay.FromNanoseconds(int(self.retry_after * 1e9))
            details.append(error_details_pb2.RetryInfo(retry_delay=delay))
        if not details:
            return self.trailing
        status = status_pb2.Status(code=self.code.value[0], message=self.message)
        for detail in details:
            packed = AnyMessage()
            packed.Pack(detail)
            status.details.append(packed)
        return (("grpc-status-details-bin", status.SerializeToString()), *self.trailing)


@dataclass(frozen=True)
class Received:
    """A call that arrived."""

    method: str
    request: Any
    metadata: dict[str, str]


class FakeIdentityService:
    """Answers every RPC of the contract: some with sense, the rest with an empty message."""

    def __init__(self, credentials: grpc.ServerCredentials | None = None) -> None:
        """Listen on a free port of the loopback."""
        self.received: list[Received] = []
        self.users: dict[str, User] = {}
        self.lists: dict[str, list[Message]] = {}
        self.unchanged: set[str] = set()
        self.warnings: dict[str, list[PlanWarning]] = {}
        self.plan_problems: dict[str, PlanProblem] = {}
        self.answers: dict[str, Message] = {}
        self.provision_steps: list[ExecutedStep] = []
        self.watched_before_failure: tuple[Operation.State.ValueType, ...] = (
            Operation.STATE_RUNNING,
            Operation.STATE_DONE,
        )
        self.also: dict[str, dict[str, list[Message]]] = {}
        self.before_provision: Callable[[str], None] = lambda name: None
        self.issued: dict[str, list[str]] = defaultdict(list)
        self._ledger: dict[str, ProvisionUserResponse] = {}
        self._failures: dict[str, deque[Failure]] = defaultdict(deque)
        self._failing_changes: dict[str, deque[Failure]] = defaultdict(deque)
        self._failing_users: dict[str, Failure] = {}
        self._problems: dict[str, PlanProblem] = {}
        self._lock = threading.Lock()
        self._server = grpc.server(ThreadPoolExecutor(16))
        self._server.add_generic_rpc_handlers(self._handlers())
        if credentials is None:
            self.port = self._server.add_insecure_port("127.0.0.1:0")
        else:
            self.port = self._server.add_secure_port("127.0.0.1:0", credentials)
        self.target = f"localhost:{self.port}"
        self._server.start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.stop(None).wait()

    def fail(self, method: str, *failures: Failure) -> None:
        """Have the next calls of a method fail, one after the other."""
        self._failures[method].extend(failures)

    def fail_change(self, method: str, failure: Failure, *, times: int = 1) -> None:
        """Have the next calls of a method that want something changed, and no plan, fail."""
        self._failing_changes[method].extend([failure] * times)

    def heal_changes(self, method: str) -> None:
        """Have the changes of a method fail no more."""
        self._failing_changes[method].clear()

    def fail_user(self, user_name: str, failure: Failure) -> None:
        """Have every attempt to make this user fail."""
        self._failing_users[user_name] = failure

    def heal(self, method: str) -> None:
        """Have the calls of a method fail no more."""
        self._failures[method].clear()

    def heal_user(self, user_name: str) -> None:
        """Let this user be made again."""
        del self._failing_users[user_name]

    def refuse_plan(
        self, user_name: str, reason: ErrorReason.ValueType, message: str, *, field: str = "user.user_name"
    ) -> None:
        """Have this user's plan hold a problem with a field."""
        self._problems[user_name] = PlanProblem(reason=reason, message=message, field=field)

    def calls(self, method: str) -> list[Received]:
        """Answer the calls of a method that arrived."""
        return [each for each in self.received if each.method == method]

    def provisioned(self) -> list[ProvisionUserRequest]:
        """Answer the requests that wanted users made, not planned."""
        return [each.request for each in self.calls("ProvisionUser") if not each.request.validate_only]

    def _handlers(self) -> list[grpc.GenericRpcHandler]:
        by_service: dict[str, dict[str, grpc.RpcMethodHandler[Any, Any]]] = defaultdict(dict)
        for method in methods():
            request_type = GetMessageClass(method.input_type)
            answer = self._answering(method.name, GetMessageClass(method.output_type))
            make = grpc.unary_unary_rpc_method_handler
            if method.server_streaming:
                make, answer = grpc.unary_stream_rpc_method_handler, self._watch  # type: ignore[assignment]  # two shapes
            by_service[method.containing_service.full_name][method.name] = make(
                answer, request_type.FromString, GetMessageClass(method.output_type).SerializeToString
            )
        return [grpc.method_handlers_generic_handler(name, each) for name, each in by_service.items()]

    def _answering(self, method: str, empty: type[Message]) -> Answer:
        def answer_generally(request: Any, context: grpc.ServicerContext) -> Message:
            return self._answer_generally(method, request, empty)

        work = self._special().get(method, answer_generally)

        def answer(request: Any, context: grpc.ServicerContext) -> Message:
            failure = self._arrived(method, request, context)
            if failure is not None and not failure.after_work:
                abort(context, failure)
            response = work(request, context)
            if failure is not None:
                abort(context, failure)
            return response

        return answer

    def _special(self) -> dict[str, Answer]:
        """Name what is answered with sense; whoever fakes more adds to it."""
        return {
            "ProvisionUser": self._provision_user,
            "GetUser": self._get_user,
            "DeleteUser": self._delete_user,
            "GetAccount": self._get_account,
            "CreateCredentials": self._create_credentials,
            "CreateMfaDevice": self._create_mfa_device,
        }

    def _answer_generally(self, method: str, request: Any, empty: type[Message]) -> Message:
        """Answer a plan of one step, or that step as done, or a page of what the test put there; else nothing."""
        answer: Any = empty()
        fields = answer.DESCRIPTOR.fields_by_name
        if method in self.answers:
            answer.CopyFrom(self.answers[method])
        elif "next_page_token" in fields and method in self.lists:
            self._fill_page(answer, self.lists[method], request)
        elif "plan" in fields and request.validate_only:
            answer.plan.CopyFrom(self._general_plan(method))
        elif "plan" in fields:
            unchanged = method in self.unchanged
            step = answer.steps.add(iam_action=f"iam:{method}", resource="arn:aws:iam::1:x", unchanged=unchanged)
            step.description = f"do {method}"
        for name, value in self.also.get(method, {}).items():
            getattr(answer, name).extend(value)
        whole: Message = answer
        return whole

    def _general_plan(self, method: str) -> Plan:
        plan = Plan(account_id=ACCOUNT, digest=hashlib.sha256(method.encode()).hexdigest())
        plan.warnings.extend(self.warnings.get(method, []))
        if method in self.plan_problems:
            plan.problems.append(self.plan_problems[method])
            plan.digest = ""
        elif method not in self.unchanged:
            plan.steps.add(iam_action=f"iam:{method}", resource="arn:aws:iam::1:x", description="do it", round=1)
        return plan

    def _answer_paged(self, method: str, request: Any) -> Message:
        """Answer a page of what is listed for a method."""
        (called,) = (each for each in methods() if each.name == method)
        return self._answer_generally(method, request, GetMessageClass(called.output_type))

    def _fill_page(self, answer: Any, items: list[Message], request: Any) -> None:
        begin = int(request.page_token or 0)
        end = begin + (request.page_size or PAGE)
        (repeated,) = (name for name in answer.DESCRIPTOR.fields_by_name if name != "next_page_token")
        getattr(answer, repeated).extend(items[begin:end])
        answer.next_page_token = str(end) if end < len(items) else ""

    def _create_credentials(self, request: CreateCredentialsRequest, context: grpc.ServicerContext) -> Message:
        if request.validate_only:
            return CreateCredentialsResponse(plan=self._general_plan("CreateCredentials"))
        made = ProvisionUserResponse()
        issue(made, UserSpec(credentials=request.credentials))
        return CreateCredentialsResponse(credentials=made.credentials, sign_in_url=SIGN_IN_URL)

    def _create_mfa_device(self, request: CreateMfaDeviceRequest, context: grpc.ServicerContext) -> Message:
        if request.validate_only:
            return CreateMfaDeviceResponse(plan=self._general_plan("CreateMfaDevice"))
        answer = CreateMfaDeviceResponse()
        answer.credentials.mfa_device.serial_number = SERIAL
        answer.credentials.mfa_device.base32_seed = SEED
        return answer

    def _arrived(self, method: str, request: Any, context: grpc.ServicerContext) -> Failure | None:
        metadata = {key: str(value) for key, value in context.invocation_metadata()}
        with self._lock:
            self.received.append(Received(method, request, metadata))
            if self._failures[method]:
                return self._failures[method].popleft()
            planned = getattr(request, "validate_only", False) or not self._failing_changes[method]
            return None if planned else self._failing_changes[method].popleft()

    def _watch(self, request: Any, context: grpc.ServicerContext) -> Iterator[WatchOperationResponse]:
        failure = self._arrived("WatchOperation", request, context)
        states = (Operation.STATE_RUNNING, Operation.STATE_DONE)
        for state in states if failure is None else self.watched_before_failure:
            yield WatchOperationResponse(operation=Operation(operation_id=request.operation_id, state=state))
        if failure is not None:
            abort(context, failure)

    def _provision_user(self, request: ProvisionUserRequest, context: grpc.ServicerContext) -> Message:
        spec = request.user
        if request.validate_only:
            return ProvisionUserResponse(plan=self._plan(spec))
        self.before_provision(spec.user_name)
        failure = self._failing_users.get(spec.user_name)
        if failure is not None and not failure.after_work:
            abort(context, failure)
        with self._lock:
            response = self._made_once(request, context)
        if failure is not None:
            abort(context, failure)
        return response

    def _made_once(self, request: ProvisionUserRequest, context: grpc.ServicerContext) -> ProvisionUserResponse:
        spec = request.user
        done = self._ledger.get(request.request_id)
        if done is not None and not request.reissue_secrets:
            return _without_secrets(done)
        if done is not None:
            issue(done, spec)
            return self._noted(request.request_id, done)
        if spec.user_name.casefold() in self.users:
            abort(context, Failure(grpc.StatusCode.ALREADY_EXISTS, "USER_ALREADY_EXISTS", "is there"))
        user = User(user_name=spec.user_name, arn=arn_of(spec), user_id=f"AIDA{len(self.users)}", path=spec.path or "/")
        self.users[spec.user_name.casefold()] = user
        response = ProvisionUserResponse(user=user, sign_in_url=SIGN_IN_URL)
        response.steps.extend(self.provision_steps)
        response.steps.append(ExecutedStep(iam_action="iam:CreateUser", resource=user.arn, aws_request_id="r-1"))
        issue(response, spec)
        self._ledger[request.request_id] = response
        return self._noted(request.request_id, response)

    def _noted(self, request_id: str, answer: ProvisionUserResponse) -> ProvisionUserResponse:
        """Make the secret key of a second issue another one, and note each that was issued."""
        issued = self.issued[request_id]
        if issued and answer.credentials.HasField("access_key"):
            answer.credentials.access_key.secret_access_key = f"{SECRET_KEY}{len(issued)}"
        issued.append(answer.credentials.access_key.secret_access_key)
        return answer

    def _plan(self, spec: UserSpec) -> Plan:
        plan = Plan(
            account_id=ACCOUNT,
            user_name=spec.user_name,
            digest=hashlib.sha256(spec.SerializeToString(deterministic=True)).hexdigest(),
            steps=[PlanStep(iam_action="iam:CreateUser", resource=arn_of(spec), description="make it", round=1)],
            quota_uses=[QuotaUse(quota_name="UsersQuota", used_before=7, used_after=8, limit=5000)],
            warnings=[PlanWarning(kind=PlanWarning.KIND_NO_PERMISSIONS, message="it may do nothing")],
        )
        problem = self._problems.get(spec.user_name)
        if spec.user_name.casefold() in self.users:
            problem = PlanProblem(reason=ErrorReason.ERROR_REASON_USER_ALREADY_EXISTS, message="is there")
        if problem is not None:
            plan.problems.append(problem)
            plan.digest = ""
        return plan

    def _get_user(self, request: GetUserRequest, context: grpc.ServicerContext) -> Message:
        return GetUserResponse(user=self._found(request.user_name, context), group_names=["Developers"])

    def _delete_user(self, request: DeleteUserRequest, context: grpc.ServicerContext) -> Message:
        user = self._found(request.user_name, context)
        step = PlanStep(iam_action="iam:DeleteUser", resource=user.arn, description="delete it", round=1)
        if request.validate_only:
            return DeleteUserResponse(
                plan=Plan(account_id=ACCOUNT, user_name=user.user_name, digest="d" * 64, steps=[step])
            )
        del self.users[user.user_name.casefold()]
        return DeleteUserResponse(user=user, steps=[ExecutedStep(iam_action=step.iam_action)])

    def _get_account(self, request: GetAccountRequest, context: grpc.ServicerContext) -> Message:
        account = Account(
            account_id=request.account_id or ACCOUNT,
            alias="acme",
            sign_in_url=SIGN_IN_URL,
            partition="aws",
            password_policy=PasswordPolicy(is_default=True, minimum_length=8, minimum_classes=3),
            quotas=[Quota(quota_name="UsersQuota", limit=5000, used=len(self.users))],
        )
        return GetAccountResponse(account=account)

    def _found(self, name: str, context: grpc.ServicerContext) -> User:
        user = self.users.get(name.casefold())
        if user is None:
            abort(context, Failure(grpc.StatusCode.NOT_FOUND, "USER_NOT_FOUND", f"no user {name}"))
        return user


def abort(context: grpc.ServicerContext, failure: Failure) -> NoReturn:
    """End a call as the failure says."""
    if failure.silent:
        given_up = threading.Event()
        if context.add_callback(given_up.set):
            given_up.wait()
    context.set_trailing_metadata(failure.trailing_metadata())
    context.abort(failure.code, failure.message)


def arn_of(spec: UserSpec) -> str:
    """Name a user as IAM would."""
    return f"arn:aws:iam::{ACCOUNT}:user{spec.path or '/'}{spec.user_name}"


def issue(response: ProvisionUserResponse, spec: UserSpec) -> None:
    """Put the credentials that a user is to have into an answer."""
    wanted = spec.credentials
    if wanted.access_key:
        response.credentials.access_key.access_key_id = "AKIAEXAMPLE"
        response.credentials.access_key.secret_access_key = SECRET_KEY
    if wanted.HasField("mfa_device"):
        device = response.credentials.mfa_device
        device.serial_number = f"arn:aws:iam::{ACCOUNT}:mfa/{wanted.mfa_device.device_name or spec.user_name}"
        device.base32_seed, device.qr_code_png = SEED, MFA_PICTURE
    if wanted.HasField("console_password"):
        password = response.credentials.console_password
        password.reset_required = wanted.console_password.require_reset
        if not wanted.console_password.custom_password:
            password.password, password.generated = PASSWORD, True


def _without_secrets(done: ProvisionUserResponse) -> ProvisionUserResponse:
    response = ProvisionUserResponse()
    response.CopyFrom(done)
    response.replayed = True
    if response.HasField("credentials"):
        response.credentials.secrets_withheld = True
        response.credentials.access_key.secret_access_key = ""
        response.credentials.console_password.password = ""
        if response.credentials.HasField("mfa_device"):
            response.credentials.mfa_device.base32_seed = ""
            response.credentials.mfa_device.qr_code_png = b""
    return response
