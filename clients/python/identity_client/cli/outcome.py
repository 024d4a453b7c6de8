"""What became of one user of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from identity_client import IdentityServiceError
from identity_client.cli.failures import explained
from identity_client.cli.wanted import WantedUser
from identity_provisioning.v1.user_service_pb2 import ProvisionUserResponse

Status = Literal["made", "replayed", "failed", "not started"]

_IN_FILE = "Secrets withheld: an earlier run wrote them to {}."
_WITHHELD = (
    "Secrets withheld: only the first answer had them. If it is lost, delete the access key or the password "
    "and make new credentials."
)


@dataclass(frozen=True)
class Outcome:
    """What became of one user, and what the person should know about it."""

    user: WantedUser
    status: Status
    request_id: str
    response: ProvisionUserResponse | None = None
    error: IdentityServiceError | None = None
    notes: tuple[str, ...] = ()
    handed_out_to: str = ""

    @property
    def complete(self) -> bool:
        """Tell whether the user is there and its credentials were handed out."""
        return self.response is not None and self.status != "failed"

    @property
    def secrets_withheld(self) -> bool:
        """Tell whether an earlier answer had the secrets and this one does not."""
        return self.response is not None and self.response.credentials.secrets_withheld

    def story(self) -> str:
        """Answer what the person should know and do."""
        parts = list(self.notes)
        if self.error is not None:
            parts.append(explained(self.error))
        if self.status == "not started":
            parts.append("Run the same command again.")
        if self.secrets_withheld:
            parts.append(_IN_FILE.format(self.handed_out_to) if self.handed_out_to else _WITHHELD)
        return " ".join(parts)
