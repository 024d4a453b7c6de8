"""The way of a request: who asks, is it well formed, may they, do the rules hold, do it, record it."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import uuid4

from embedded_aws import consistency, faults, history, moto_answers
from embedded_aws.account import Account
from embedded_aws.accounts import Accounts
from embedded_aws.authorization import check_permission
from embedded_aws.constraints import check_constraints
from embedded_aws.errors import AwsError
from embedded_aws.names import check_named_entities, resolve_names
from embedded_aws.paging import is_paged, page
from embedded_aws.principals import identify, root
from embedded_aws.query_protocol import Call, HttpAnswer, HttpRequest, error_xml, parse_call
from embedded_aws.records import CallLog, RecordedCall
from embedded_aws.rulebook import answer_to, rules_for
from embedded_aws.service_models import operation_model
from embedded_aws.subjects import enter_all

# What goes over the wire (None: the connection is closed instead), and the error code that the record shows.
_Outcome = tuple[HttpAnswer | None, str | None]
# Of these the first one decides what is answered.
_REPLACING = (
    faults.AnswerError
    | faults.LoseReply
    | faults.CloseConnection
    | faults.AnswerHtml
    | faults.Hang
    | faults.Throttle
    | faults.FreshPassword
    | faults.NotFoundYet
    | faults.KeyNotReady
)
_NO_REQUEST = HttpRequest("POST", "/", {}, b"")


class Service:
    """IAM and STS of all accounts."""

    def __init__(self, accounts: Accounts) -> None:
        """Serve these accounts, with an empty record and no faults."""
        enter_all()
        self.accounts = accounts
        self.log = CallLog()
        self.faults = faults.FaultBox()

    def handle(self, http: HttpRequest) -> HttpAnswer | None:
        """Answer one request; None means: close the connection without an answer."""
        request_id = str(uuid4())
        try:
            call = parse_call(http)
        except AwsError as error:
            return _error_answer("iam", error, request_id)
        with self.accounts.lock:
            account = self.accounts.of_key(call.access_key_id)
        call = replace(call, accounts=self.accounts)
        try:
            answer, error_code = self._answer_with_faults(account, call, request_id)
        except faults.CallDropped:
            return None
        self.log.add(
            RecordedCall(
                operation=call.operation,
                parameters=call.redacted_parameters(),
                access_key_id=call.access_key_id,
                request_id=request_id,
                status=answer.status if answer else None,
                error_code=error_code,
                account_id=account.account_id,
                answered_at=account.clock.seconds(),
            )
        )
        return answer

    def perform(self, account: Account, operation: str, params: dict[str, Any]) -> Any:
        """Do what the account itself asks for: by the same rules, but without a request, faults and record."""
        call = Call("iam", operation, params, account.administrator.access_key_id, "", _NO_REQUEST)
        if operation_model("iam", operation) is None:
            raise ValueError(f"IAM has no operation {operation}")
        with account.lock:
            return self._do(account, replace(call, caller=root(account), accounts=self.accounts))

    def _answer_with_faults(self, account: Account, call: Call, request_id: str) -> _Outcome:
        """Every effect on the way is applied; of those that replace the answer, the first."""
        effects = self.faults.effects_on(
            call.operation, call.params, partial(consistency.applies, account, call), account.clock.seconds()
        )
        stale_by = 0.0
        for effect in effects:
            if isinstance(effect, faults.Delay):
                time.sleep(effect.seconds)
            elif isinstance(effect, faults.DropParameter):
                call = replace(call, params={k: v for k, v in call.params.items() if k != effect.name})
            elif isinstance(effect, faults.KeyOutlivesDeletion):
                call = replace(call, deleted_key_grace=effect.seconds)
            elif isinstance(effect, faults.StaleRead):
                stale_by = max(stale_by, effect.seconds)
            elif effect == faults.Hold():
                self.faults.hold()
        replacing = next((effect for effect in effects if isinstance(effect, _REPLACING)), None)
        answered = self._answer(account, call, request_id, stale_by) if _is_done(replacing) else None
        if faults.Hold(done=True) in effects:
            self.faults.hold()
        if isinstance(replacing, faults.Hang):
            self.faults.hang(call.http.client_has_gone)
        return answered if answered and not replacing else _disturbed(call, replacing, request_id)

    def _answer(self, account: Account, call: Call, request_id: str, stale_by: float) -> _Outcome:
        try:
            with account.lock:
                state = account.history.state_at(account.clock.seconds() - stale_by) if stale_by else None
                if not state and (memory := self.faults.longest_memory()) and not consistency.is_read(call):
                    now = account.clock.seconds()
                    account.history.keep_state(account, now, no_older_than=now - memory)
                # Who asks is always known as of now: only what is read may be stale.
                call = replace(call, caller=identify(account, call))
                with history.showing(account, state) if state else nullcontext():
                    body = self._carry_out(account, call, request_id)
        except AwsError as error:
            return _error_answer(call.service, error, request_id), error.code
        return HttpAnswer(200, body, headers={"x-amzn-RequestId": request_id}), None

    def _carry_out(self, account: Account, call: Call, request_id: str) -> bytes:
        result = self._do(account, call)
        return moto_answers.write(call, page(call, result or {}) if is_paged(call) else result, request_id)

    def _do(self, account: Account, call: Call) -> Any:
        check_constraints(call)
        call = resolve_names(account, call)
        if call.caller is not None:
            check_permission(account, call, call.caller)
        check_named_entities(account, call)
        for check in rules_for(call.operation):
            check(account, call)
        ours = answer_to(call.operation)
        result = ours(account, call) if ours else moto_answers.carry_out(account, call)
        account.history.note_made(call.operation, call.params, result, account.clock.seconds())
        return result


def _is_done(effect: faults.Effect | None) -> bool:
    match effect:
        case None | faults.LoseReply():
            return True
        case faults.CloseConnection() | faults.AnswerHtml() | faults.Hang():
            return effect.do_it
        case _:
            return False


def _disturbed(call: Call, effect: faults.Effect | None, request_id: str) -> _Outcome:
    if (error := consistency.refusal(call, effect)) is not None:
        return _error_answer(call.service, error, request_id), error.code
    match effect:
        case faults.LoseReply():
            lost = AwsError(effect.code, effect.message, effect.status)
            return _error_answer(call.service, lost, request_id), lost.code
        case faults.AnswerHtml():
            page_of_a_proxy = b"<html><body><h1>Bad Gateway</h1></body></html>"
            return HttpAnswer(effect.status, page_of_a_proxy, "text/html"), None
        case _:
            return None, None


def _error_answer(service: str, error: AwsError, request_id: str) -> HttpAnswer:
    body = error_xml(service, error, request_id)
    return HttpAnswer(error.status, body, headers={"x-amzn-RequestId": request_id})
