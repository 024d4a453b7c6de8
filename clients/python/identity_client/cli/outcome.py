"""What became of one user of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from identity_client import IdentityServiceError
from identity_client.cli.failures import advice_for_new_user, delete_command, explained, remains
from identity_client.cli.wanted import WantedUser
from identity_provisioning.v1.user_service_pb2 import ProvisionUserResponse

Status = Literal["made", "replayed", "failed", "secrets lost", "not started", "cancelled"]

_IN_FILE = "Secrets withheld: an earlier run wrote them to {}."
_LOST = "{} Delete the user with `{}`, then run the same command again: it makes the user anew, with new secrets."
_REISSUE = (
    "{} Run the same command with --reissue-secrets soon: the service revokes them and makes new ones. Or delete the "
    "user with `{}`, then run the same command again: it makes the user anew."
)
_WITHHELD = "The secrets are lost: only the first answer had them, and it did not come through."


@dataclass(frozen=True)
class Outcome:
    """What became of one user, and what the person should know about it.

    Attributes:
        altered_cells: the columns of the credentials file whose cell begins with an apostrophe that is no part of it.
        may_reissue: lost secrets can be made anew under the same request.
    """

    user: WantedUser
    status: Status
    request_id: str
    response: ProvisionUserResponse | None = None
    error: IdentityServiceError | None = None
    notes: tuple[str, ...] = ()
    handed_out_to: str = ""
    altered_cells: tuple[str, ...] = ()
    may_reissue: bool = False

    @property
    def complete(self) -> bool:
        """Tell whether the user is there and its credentials were handed out, by this run or an earlier one."""
        return self.status in ("made", "replayed")

    @property
    def secrets_withheld(self) -> bool:
        """Tell whether an earlier answer had secrets and this one does not; a password that was given is none."""
        withheld = self.response is not None and self.response.credentials.secrets_withheld
        return withheld and self.user.awaits_secrets

    @property
    def needs_deletion(self) -> bool:
        """Tell whether the user, or what is left of it, has to go before the next run can make it."""
        return self.status == "secrets lost" or (self.error is not None and bool(remains(self.error)))

    @property
    def advice(self) -> str:
        """Answer what to do about the user's error."""
        return "" if self.error is None else advice_for_new_user(self.error, self.user.name)

    def story(self) -> str:
        """Answer what the person should know and do."""
        parts = list(self.notes)
        if self.error is not None:
            parts.append(explained(self.error, to_do=self.advice))
        if self.status == "not started":
            parts.append("Run the same command again.")
        if self.secrets_withheld and self.handed_out_to:
            parts.append(_IN_FILE.format(self.handed_out_to))
        if self.status == "secrets lost":
            parts.append(self._loss())
        return " ".join(parts)

    def _loss(self) -> str:
        """Say that the secrets are gone, and the exact way to new ones."""
        arn = "" if self.response is None else self.response.user.arn
        command = delete_command(self.user.name, account_of(arn))
        way = _REISSUE if self.may_reissue else _LOST
        return way.format(_WITHHELD if self.secrets_withheld else "The secrets are lost.", command)


def account_of(arn: str) -> str:
    """Answer the account that an ARN names: arn:PARTITION:iam::ACCOUNT:user/NAME."""
    parts = arn.split(":")
    return parts[4] if len(parts) > 5 else ""
