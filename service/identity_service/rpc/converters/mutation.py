"""What all mutating requests have in common."""

import uuid
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from identity_service.domain.request import Body, Mutation


class MutatingRequest(Protocol):
    """The fields that every request which changes something has; a test of the contract holds that."""

    account_id: str
    request_id: str
    validate_only: bool
    expected_plan_digest: str


class MintingRequest(MutatingRequest, Protocol):
    """What every request has besides whose answer holds secrets."""

    @property
    def recipients(self) -> Iterable[str]:
        """To whom the secrets are sealed."""

    reissue_secrets: bool


def to_mutation(action: str, request: MutatingRequest, body: Body) -> Mutation:
    """Wrap what a request asks for; `action` is the RPC's name."""
    return Mutation(
        action=action,
        account_id=request.account_id,
        # A UUID means the same in any letter case.
        request_id=str(uuid.UUID(request.request_id)),
        validate_only=request.validate_only,
        expected_plan_digest=request.expected_plan_digest,
        body=body,
    )


def to_minting_mutation(action: str, request: MintingRequest, body: Body) -> Mutation:
    """Wrap what a request for secrets asks for; `action` is the RPC's name."""
    return replace(
        to_mutation(action, request, body),
        recipients=tuple(request.recipients),
        reissue_secrets=request.reissue_secrets,
    )
