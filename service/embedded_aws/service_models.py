"""What botocore's own service models say about IAM and STS: operations, shapes, error statuses, paging."""

from __future__ import annotations

from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

SERVICE_OF_API_VERSION = {"2010-05-08": "iam", "2011-06-15": "sts"}

# Errors that every Query service answers and that no model lists.
COMMON_ERROR_STATUSES = {
    "AccessDenied": 403,
    "ExpiredToken": 403,
    "IncompleteSignature": 400,
    "InvalidAction": 400,
    "InvalidClientTokenId": 403,
    "InternalFailure": 500,
    "MissingAuthenticationToken": 403,
    "NotImplemented": 501,
    "SignatureDoesNotMatch": 403,
    "Throttling": 400,
    "ValidationError": 400,
}


@cache
def service_model(service: str) -> ServiceModel:
    """The model of `iam` or `sts`."""
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


@cache
def operation_model(service: str, operation: str) -> OperationModel | None:
    """The model of one operation, or None if the service has no such operation."""
    model = service_model(service)
    return model.operation_model(operation) if operation in model.operation_names else None


@cache
def paging_of(operation: str) -> tuple[str, ...]:
    """The members of an IAM answer that are paged together; empty if the operation does not page."""
    entry: dict[str, Any] = _iam_pagination().get(operation, {})
    keys = entry.get("result_key", [])
    return (keys,) if isinstance(keys, str) else tuple(keys)


def status_of_error(code: str) -> int:
    """The HTTP status that goes with an error code."""
    return _error_statuses().get(code, 400)


@cache
def _iam_pagination() -> dict[str, Any]:
    pagination: dict[str, Any] = Loader().load_service_model("iam", "paginators-1")["pagination"]
    return pagination


@cache
def _error_statuses() -> dict[str, int]:
    statuses = dict(COMMON_ERROR_STATUSES)
    for service in SERVICE_OF_API_VERSION.values():
        for shape in service_model(service).error_shapes:
            error = shape.metadata.get("error") or {}
            if "httpStatusCode" in error:
                statuses[error["code"]] = error["httpStatusCode"]
    return statuses
