"""The way of a request: who asks, is it well formed, may they, do the rules hold, do it, record it."""

from __future__ import annotations

import time
from dataclasses import replace
from uuid import uuid4

from embedded_aws import faults, moto_answers
from embedded_aws.account import Account
from embedded_aws.authorization import check_permission
from embedded_aws.constraints import check_constraints
from embedded_aws.errors import AwsError
from embedded_aws.names import check_named_entities, resolve_names
from embedded_aws.paging import is_paged, page
from embedded_aws.principals import identify
from embedded_aws.query_protocol import Call, HttpAnswer, HttpRequest, error_xml, parse_call
from embedded_aws.records import CallLog, RecordedCall
from embedded_aws.rulebook import answer_to, rules_for
from embedded_aws.subjects import enter_all

# What goes over the wire (None: the connection is closed instead), and the error code that the record shows.
_Outcome = tuple[HttpAnswer | None, str | None]
_REPLACING = faults.AnswerError | faults.LoseReply | faults.CloseConnection | faults.AnswerHtml


class Service:
    """IAM and STS of one account."""

    def __init__(self, account: Account) -> None:
        """Serve this account, with an empty record and no faults."""
        enter_all()
        self.account = account
        self.log = CallLog()
        self.faults = faults.FaultBox()

    def handle(self, http: HttpRequest) -> HttpAnswer | None:
        """Answer one request; None means: close the connection without an answer."""
        request_id = str(uuid4())
        try:
            call = parse_call(http)
        except AwsError as error:
            return _error_answer("iam", error, request_id)
        try:
            answer, error_code = self._answer_with_faults(call, request_id)
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
            )
        )
        return answer

    def _answer_with_faults(self, call: Call, request_id: str) -> _Outcome:
        """Every effect on the way is applied; of those that replace the answer, the first."""
        effects = self.faults.effects_on(call.operation, call.params)
        for effect in effects:
            if isinstance(effect, faults.Delay):
                time.sleep(effect.seconds)
            elif isinstance(effect, faults.DropParameter):
                call = replace(call, params={k: v for k, v in call.params.items() if k != effect.name})
            elif effect == faults.Hold():
                self.faults.hold()
        replacing = next((effect for effect in effects if isinstance(effect, _REPLACING)), None)
        answered = self._answer(call, request_id) if _is_done(replacing) else None
        if faults.Hold(done=True) in effects:
            self.faults.hold()
        return answered if answered and not replacing else _disturbed(call, replacing, request_id)

    def _answer(self, call: Call, request_id: str) -> _Outcome:
        try:
            with self.account.lock:
                body = self._carry_out(call, request_id)
        except AwsError as error:
            return _error_answer(call.service, error, request_id), error.code
        return HttpAnswer(200, body, headers={"x-amzn-RequestId": request_id}), None

    def _carry_out(self, call: Call, request_id: str) -> bytes:
        caller = identify(self.account, call)
        call = replace(call, caller=caller)
        check_constraints(call)
        call = resolve_names(self.account, call)
        check_permission(self.account, call, caller)
        check_named_entities(self.account, call)
        for check in rules_for(call.operation):
            check(self.account, call)
        ours = answer_to(call.operation)
        result = ours(self.account, call) if ours else moto_answers.carry_out(self.account, call)
        return moto_answers.write(call, page(call, result or {}) if is_paged(call) else result, request_id)


def _is_done(effect: faults.Effect | None) -> bool:
    match effect:
        case faults.AnswerError():
            return False
        case faults.CloseConnection() | faults.AnswerHtml():
            return effect.do_it
        case _:
            return True


def _disturbed(call: Call, effect: faults.Effect | None, request_id: str) -> _Outcome:
    match effect:
        case faults.AnswerError() | faults.LoseReply():
            error = AwsError(effect.code, effect.message, effect.status)
            return _error_answer(call.service, error, request_id), error.code
        case faults.AnswerHtml():
            page_of_a_proxy = b"<html><body><h1>Bad Gateway</h1></body></html>"
            return HttpAnswer(effect.status, page_of_a_proxy, "text/html"), None
        case _:
            return None, None


def _error_answer(service: str, error: AwsError, request_id: str) -> HttpAnswer:
    body = error_xml(service, error, request_id)
    return HttpAnswer(error.status, body, headers={"x-amzn-RequestId": request_id})
