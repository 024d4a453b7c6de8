"""The control API: JSON over HTTP under /_embedded/, by which a test looks at the accounts and disturbs them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from embedded_aws.account import Account
from embedded_aws.dump import dump_account
from embedded_aws.faults import Fault
from embedded_aws.kept_roles import keep_role, put_back_kept_roles
from embedded_aws.query_protocol import HttpAnswer, HttpRequest
from embedded_aws.service import Service

CONTROL_PREFIX = "/_embedded/"


class Control:
    """Each method of the API is one entry of the table; its argument and its answer are JSON."""

    def __init__(self, service: Service) -> None:
        """Control this service and its accounts."""
        self._service = service
        self._accounts = service.accounts
        self._methods: dict[str, Callable[[Any], Any]] = {
            "reset": lambda _: self._reset(),
            "calls": lambda _: [call.to_json() for call in service.log.all()],
            "clear_calls": lambda _: service.log.clear(),
            "dump": self._dump,
            "inject": lambda fault: service.faults.plant(Fault.from_json(fault)),
            "clear_faults": lambda _: service.faults.clear(),
            "release": lambda _: service.faults.release(),
            "wait_for_held": lambda wanted: service.faults.wait_for_held(wanted["count"], wanted["timeout"]),
            "set_access_control": self._set_access_control,
            "set_quota": self._set_quota,
            "set_signature_validity": self._set_signature_validity,
            "advance_clock": lambda seconds: service.accounts.clock.advance(seconds),
            "add_account": self._add_account,
            "keep_role": self._keep_role,
            "cpu_seconds": lambda _: time.process_time(),
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
        with self._accounts.lock:
            self._service.faults.clear()
            for account in self._accounts:
                account.reset()
                put_back_kept_roles(account)
            self._service.log.clear()

    def _dump(self, account_id: str | None) -> dict[str, Any]:
        with self._accounts.lock:
            return dump_account(self._account(account_id))

    def _set_access_control(self, switched_on: bool) -> None:
        with self._accounts.lock:
            for account in self._accounts:
                account.access_control = switched_on

    def _set_quota(self, quota: dict[str, Any]) -> None:
        self._account(quota.get("account_id")).quotas.set(quota["name"], quota["value"])

    def _set_signature_validity(self, seconds: float) -> None:
        for account in self._accounts:
            account.signature_validity = float(seconds)

    def _add_account(self, account_id: str) -> dict[str, str]:
        with self._accounts.lock:
            return administrator_of(self._accounts.add(account_id))

    def _keep_role(self, wanted: dict[str, Any]) -> dict[str, str]:
        with self._accounts.lock:
            kept = asdict(keep_role(self._account(wanted.get("account_id")), wanted["name"], wanted["documents"]))
        return {name: value for name, value in kept.items() if name not in {"name", "documents"}}

    def _account(self, account_id: str | None) -> Account:
        account = self._accounts.find(account_id) if account_id is not None else self._accounts.default
        if account is None:
            raise KeyError(account_id)
        return account


def administrator_of(account: Account) -> dict[str, str]:
    """Who may do everything in an account, as the ready line and the control API say it."""
    return {
        "account_id": account.account_id,
        "access_key_id": account.administrator.access_key_id,
        "secret_access_key": account.administrator.secret_access_key,
    }
