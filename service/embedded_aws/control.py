"""The control API: JSON over HTTP under /_embedded/, by which a test looks at the account and disturbs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from embedded_aws.dump import dump_account
from embedded_aws.faults import Fault
from embedded_aws.query_protocol import HttpAnswer, HttpRequest
from embedded_aws.service import Service

CONTROL_PREFIX = "/_embedded/"


class Control:
    """Each method of the API is one entry of the table; its argument and its answer are JSON."""

    def __init__(self, service: Service) -> None:
        """Control this service and its account."""
        self._service = service
        self._account = service.account
        self._methods: dict[str, Callable[[Any], Any]] = {
            "reset": lambda _: self._reset(),
            "calls": lambda _: [call.to_json() for call in service.log.all()],
            "clear_calls": lambda _: service.log.clear(),
            "dump": lambda _: self._dump(),
            "inject": lambda fault: service.faults.plant(Fault.from_json(fault)),
            "clear_faults": lambda _: service.faults.clear(),
            "release": lambda _: service.faults.release(),
            "wait_for_held": lambda wanted: service.faults.wait_for_held(wanted["count"], wanted["timeout"]),
            "set_access_control": self._set_access_control,
            "set_quota": lambda quota: self._account.quotas.set(quota["name"], quota["value"]),
        }

    def handle(self, request: HttpRequest) -> HttpAnswer:
        """Carry out one method."""
        method = self._methods.get(request.target.removeprefix(CONTROL_PREFIX))
        if method is None:
            return HttpAnswer(404, b'"no such method"', "application/json")
        try:
            result = method(json.loads(request.body or b"null"))
        except (KeyError, TypeError, ValueError) as error:
            return HttpAnswer(400, json.dumps(repr(error)).encode(), "application/json")
        return HttpAnswer(200, json.dumps(result).encode(), "application/json")

    def _reset(self) -> None:
        with self._account.lock:
            self._service.faults.clear()
            self._account.reset()
            self._service.log.clear()

    def _dump(self) -> dict[str, Any]:
        with self._account.lock:
            return dump_account(self._account)

    def _set_access_control(self, switched_on: bool) -> None:
        with self._account.lock:
            self._account.access_control = switched_on
