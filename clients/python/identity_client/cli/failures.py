"""What a person is told when something goes wrong: what it was, and what to do now."""

from __future__ import annotations

import shlex
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from identity_client import (
    AlreadyExists,
    DeadlineExceeded,
    IdentityServiceError,
    InProgress,
    Internal,
    NotBuiltYet,
    NotFound,
    PermissionDenied,
    PlanChanged,
    QuotaExceeded,
    Unauthenticated,
    Unavailable,
)
from identity_client.cli.exit_codes import ExitCode
from identity_provisioning.v1.plan_pb2 import Plan


class CliError(Exception):
    """Ends the command with a message for people, an exit code, and a document for machines."""

    def __init__(
        self,
        message: str,
        exit_code: ExitCode,
        *,
        error: IdentityServiceError | None = None,
        plan: Plan | None = None,
    ) -> None:
        """Keep the exit code, and the error or the plan that it is about, beside the message."""
        super().__init__(message)
        self.exit_code = exit_code
        self._error = error
        self._plan = plan

    def document(self) -> dict[str, Any]:
        """Answer what went wrong as JSON values."""
        said: dict[str, Any] = {"code": "", "reason": "", "message": str(self)}
        if self._error is not None:
            said = error_document(self._error)
        whole: dict[str, Any] = {"error": said | {"exit_code": int(self.exit_code)}}
        if self._plan is not None:
            whole["plan"] = message_document(self._plan)
        return whole


class BadInputError(CliError):
    """The command cannot be run as it was given; nothing was sent."""

    def __init__(self, message: str) -> None:
        """Take the message."""
        super().__init__(message, ExitCode.BAD_INPUT)


_ADVICE_BY_REASON = {
    "ACCOUNT_NOT_FOUND": "Name one of the accounts that the service is configured for with --account.",
    "PASSWORD_POLICY_VIOLATION": "Choose a password that fits the policy; `identityctl account` shows it.",
    "POLICY_AMBIGUOUS": "Name the policy by its ARN.",
    "THROTTLED": "AWS limits the account's rate. Run the same command again later.",
    "OVERLOADED": "The service is busy. Run the same command again later.",
    "AWS_ACCESS_DENIED": "The service's own role lacks a permission; its operators have to add it.",
    "AWS_CREDENTIALS_REFUSED": "AWS refuses the service's credentials; tell its operators.",
    "BOUNDARY_NOT_KEPT": "IAM did not keep the boundary, and the user was undone; tell the operators.",
    "INVALID_MFA_CODE": "The device stays pending. Wait for a fresh code, and give it with the one that follows it.",
    "MFA_DEVICE_NOT_FOUND": "`identityctl get USER` shows the serial numbers of the enabled devices.",
    "IN_USE": "Whatever uses it has to let go of it first.",
    "UNDO_INCOMPLETE": "Remove what remains, then run the same command again.",
}

_KINDS = {"iam:Group": "group", "iam:Policy": "policy", "iam:MFADevice": "MFA device"}

_ADVICE_BY_KIND: tuple[tuple[type[IdentityServiceError], str], ...] = (
    (Unauthenticated, "Check --cert and --key: the service knows callers by their client certificate."),
    (PermissionDenied, "Ask the service's operators for the right, or ask for less."),
    (AlreadyExists, "Choose another name, or look at the user with `identityctl get`."),
    (NotFound, "Check the spelling, and the account that is asked (--account)."),
    (QuotaExceeded, "Free what is no longer used, or have the quota raised; `identityctl account` shows it."),
    (PlanChanged, "The account changed since the review. Run the command again and review anew."),
    (InProgress, "The same request is still being worked on. Run the same command again."),
    (NotBuiltYet, "This server does not have that yet; leave the option out."),
    (DeadlineExceeded, "The work may go on. Run the same command again, perhaps with a longer --timeout."),
    (Unavailable, "Run the same command again; what was done is not done twice."),
    (Internal, "Give the trace id to the service's operators."),
)


def advice(error: IdentityServiceError) -> str:
    """Answer what the person can do about an error; empty where the message says it all."""
    by_reason = _advice_for_owned(error) if error.reason == "NOT_OWNER" else _ADVICE_BY_REASON.get(error.reason)
    if by_reason:
        return by_reason
    return next((text for kind, text in _ADVICE_BY_KIND if isinstance(error, kind)), "")


def _advice_for_owned(error: IdentityServiceError) -> str:
    """Answer what to do about a thing that is not the team's: users alone can be adopted."""
    kind = "" if error.resource is None else error.resource.resource_type
    if kind in ("", "iam:User"):
        return "Your team does not own this user. One that nobody owns can be adopted: `identityctl adopt`."
    what = _KINDS.get(kind, "thing")
    return f"Only the team that made the {what} may change it; one that nobody owns is the account's administrators'."


def explained(error: IdentityServiceError, *, to_do: str | None = None, forward_only: bool = False) -> str:
    """Answer the whole story: the message, what the service left behind, and what to do, here or as `to_do` has it.

    Of a call that is never undone, `forward_only`, the service names what it did not reach.
    """
    parts = [str(error)]
    failed_step = error.metadata.get("failed_step")
    if failed_step:
        parts.append(f"The step that failed was {failed_step}.")
    if remains(error):
        what = "What was not reached" if forward_only else "What remains in the account"
        parts.append(f"{what}: {remains(error)}.")
    parts.append(advice(error) if to_do is None else to_do)
    return " ".join(part for part in parts if part)


def message_document(message: Message) -> dict[str, Any]:
    """Answer a message as JSON values, with the contract's names and nothing left out."""
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def error_document(error: IdentityServiceError) -> dict[str, Any]:
    """Answer an error as JSON values."""
    return {
        "code": error.code.name,
        "reason": error.reason,
        "message": error.message,
        "metadata": error.metadata,
        "field_violations": [{"field": each.field, "description": each.description} for each in error.field_violations],
        "quota_violations": [
            {"subject": each.subject, "description": each.description} for each in error.quota_violations
        ],
        "advice": advice(error),
        "request_id": error.request_id,
        "trace_id": error.trace_id,
    }


def remains(error: IdentityServiceError) -> str:
    """Answer what a failed request left in the account, in words; empty if nothing."""
    remaining = error.metadata.get("remaining", "")
    return "" if remaining == "nothing" else remaining


def advice_for_new_user(error: IdentityServiceError, user_name: str) -> str:
    """Answer what to do about a user that could not be made; what was left of it has to go first."""
    removal = delete_command(user_name, error.metadata.get("account_id", ""))
    if not remains(error):
        return advice(error)
    says_nothing = error.reason == "UNDO_INCOMPLETE" or isinstance(error, Unavailable | DeadlineExceeded | Internal)
    cause = "" if says_nothing else advice(error)
    return f"{cause} Remove it with `{removal}`, then run the same command again.".strip()


def delete_command(user_name: str, account_id: str) -> str:
    """Answer the command that deletes a user, ready to be copied."""
    return _command("delete", user_name, account_id)


def get_command(user_name: str) -> str:
    """Answer the command that shows a user, ready to be copied."""
    return _command("get", user_name, "")


def enable_command(user_name: str, serial_number: str) -> str:
    """Answer the command that enables an MFA device, ready to be copied."""
    return _command("mfa enable", user_name, "", serial_number)


def _command(verb: str, user_name: str, account_id: str, *more: str) -> str:
    account = ["--account", account_id] if account_id else []
    end_of_options = ["--"] if user_name.startswith("-") else []
    return shlex.join(["identityctl", *verb.split(), *account, *end_of_options, user_name, *more])


def cannot_reach(error: IdentityServiceError) -> bool:
    """Tell whether the service was not reached or does not know the caller; no other user fares better."""
    silent = isinstance(error, Unavailable | DeadlineExceeded) and not error.reason
    return silent or isinstance(error, Unauthenticated)


def outcome_unknown(error: IdentityServiceError) -> bool:
    """Tell whether the request may have been carried out, or still may be, in spite of the error.

    Where the service names the step that failed and what it could not undo, the request is over, and sent again it
    would fail in the same way for ever.
    """
    if error.metadata.get("failed_step") and remains(error):
        return False
    open_ended = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN", "INTERNAL")
    return error.code.name in open_ended or isinstance(error, InProgress)


def as_cli_error(error: IdentityServiceError, *, to_do: str | None = None, forward_only: bool = False) -> CliError:
    """Answer what ends a command that asks one thing only."""
    code = ExitCode.CANNOT_REACH if cannot_reach(error) else ExitCode.SOME_FAILED
    return CliError(explained(error, to_do=to_do, forward_only=forward_only), code, error=error)


def nothing_created(error: IdentityServiceError, *, to_do: str | None = None) -> CliError:
    """Answer what ends a run before anybody was made."""
    code = ExitCode.CANNOT_REACH if cannot_reach(error) else ExitCode.PLAN_HAS_PROBLEMS
    return CliError(f"{explained(error, to_do=to_do)} Nothing was created.", code, error=error)
