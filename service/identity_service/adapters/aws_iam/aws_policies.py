"""Where AWS keeps its managed policies: their paths are part of their ARNs, and only a listing tells them."""

from collections.abc import Callable, Mapping

from identity_service.domain.names import name_key

COMMON_PATHS = ("/", "/service-role/", "/job-function/", "/aws-service-role/")
"""Where nearly all of AWS's policies are."""
_TIME_TO_LIVE = 3600.0


class AwsPolicyIndex:
    """The ARNs of AWS's policies by name, once listed; the same in every account of a partition.

    It is kept for an hour: AWS adds policies, and does not move them.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._arns: Mapping[str, str] = {}
        self._listed_at: float | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether the listing can still be relied on."""
        return self._listed_at is not None and self._clock() - self._listed_at < _TIME_TO_LIVE

    def fill(self, arns: Mapping[str, str]) -> None:
        """Keep a listing, ARNs by name."""
        self._arns = {name_key(name): arn for name, arn in arns.items()}
        self._listed_at = self._clock()

    def find(self, policy_name: str) -> str | None:
        """Return a policy's ARN, in any letter case, if a fresh listing has it."""
        return self._arns.get(name_key(policy_name)) if self.is_fresh else None
