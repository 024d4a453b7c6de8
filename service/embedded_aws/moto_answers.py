"""moto's part in an answer: carrying out operations that it does well, and writing every result as XML."""

from __future__ import annotations

from functools import cache
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.core.serialize import (
    QuerySerializer,
    SerializationContext,
    XFormedAttributePicker,
    never_return,
)
from moto.core.utils import camelcase_to_underscores, get_service_model, method_names_from_class
from moto.iam.responses import IamResponse
from moto.sts.responses import TokenResponse

from embedded_aws.account import Account
from embedded_aws.errors import AwsError
from embedded_aws.query_protocol import Call

# moto pages by itself only where it lists many things; asking for all leaves the paging to us.
_EVERYTHING = 1_000_000_000

_RESPONSES: dict[str, type[BaseResponse]] = {"iam": IamResponse, "sts": TokenResponse}
_TRANSFORMERS = {
    **IamResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER,
    "ListPolicyVersionsResponse.Versions.PolicyVersion.Document": never_return,
}


def carry_out(account: Account, call: Call) -> Any:
    """Let moto do the operation; its errors become ours."""
    action = camelcase_to_underscores(call.operation)
    if action not in _known_actions(call.service):
        raise AwsError("NotImplemented", f"The embedded account does not know {call.operation}")
    response = _RESPONSES[call.service]()
    _set_up(response, account, call)
    try:
        result = getattr(response, action)()
    except ServiceException as error:
        raise AwsError(error.code, str(error.message)) from error
    return result.result if isinstance(result, ActionResult) else result


def write(call: Call, result: Any, request_id: str) -> bytes:
    """Write a result, ours or moto's, as the XML of the operation."""
    serializer = QuerySerializer(
        get_service_model(call.service).operation_model(call.operation),
        context=SerializationContext(request_id),
        value_picker=XFormedAttributePicker(response_transformers=_TRANSFORMERS),
    )
    body = serializer.serialize(result if result is not None else {})["body"]
    return body if isinstance(body, bytes) else body.encode()


def _set_up(response: BaseResponse, account: Account, call: Call) -> None:
    """Give the response object what it would have read from an HTTP request."""
    paged = {name: value for name, value in call.params.items() if name not in {"Marker", "MaxItems"}}
    response.params = {**paged, "MaxItems": _EVERYTHING}
    response.uri_match = {}
    response.current_account = account.account_id
    response.partition = account.partition
    response.region = account.region
    response.access_key = call.access_key_id
    response.headers = dict(call.http.headers)
    response.querystring = {"Action": [call.operation]}
    response.data = response.querystring


@cache
def _known_actions(service: str) -> frozenset[str]:
    return frozenset(method_names_from_class(_RESPONSES[service]))
