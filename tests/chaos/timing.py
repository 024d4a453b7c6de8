"""The windows of time, shortened together: the servers', the account's, and the harness's own patience."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Seconds. What holds between them in production holds here as well.

    Connecting and reading take a third of a lease at most; IAM settles faster than the settle time; what was signed
    can no longer be carried out after the validity, at which a second look is taken.
    """

    lease: float = 1.5
    settle: float = 0.4
    signature_validity: float = 5.0
    retry_window: float = 90.0
    worker_poll: float = 0.1
    rest: float = 0.5
    """How long a request rests that could not be ended; no setting of the server."""
    connect_timeout: float = 0.2
    read_timeout: float = 0.3
    retry_budget: float = 1.5
    attempt: float = 2.5
    """How long a client waits for one answer."""
    patience: float = 75.0
    """How long a client goes on asking; the retry window outlasts it."""
    end_of_work: float = 40.0
    """How long the servers may take, after the last answer, until no request is open and no second look is due."""

    def variables(self) -> Mapping[str, str]:
        """Say it to a server."""
        seconds = {
            "LEASE_SECONDS": self.lease,
            "SETTLE_SECONDS": self.settle,
            "SIGNATURE_VALIDITY_SECONDS": self.signature_validity,
            "RETRY_WINDOW_SECONDS": self.retry_window,
            "WORKER_POLL_SECONDS": self.worker_poll,
            "AWS_CONNECT_TIMEOUT": self.connect_timeout,
            "AWS_READ_TIMEOUT": self.read_timeout,
            "AWS_RETRY_BUDGET": self.retry_budget,
        }
        return {f"IDENTITY_SERVICE_{name}": str(value) for name, value in seconds.items()}
