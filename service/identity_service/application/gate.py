"""Asks twice whether a caller may: before anything is read from IAM, and on the expanded plan."""

from collections.abc import Mapping

from identity_service.application.ledger import Denial, Ledger
from identity_service.application.planners.planned import PlannedMutation
from identity_service.application.ports import Authorizer
from identity_service.domain import tags
from identity_service.domain.caller import Caller
from identity_service.domain.errors import IdentityError, Reason, Resource
from identity_service.domain.proposal import Proposal
from identity_service.domain.request import Mutation, UserAdoption


class Gate:
    """Refuses what a caller may not do, and leaves each refusal in the audit log."""

    def __init__(self, authorizer: Authorizer, ledger: Ledger) -> None:
        self._authorizer = authorizer
        self._ledger = ledger

    async def may_ask(self, caller: Caller, mutation: Mutation, account_id: str) -> None:
        """Refuse a caller who may not call the RPC. Raises CALLER_NOT_ALLOWED."""
        try:
            self._authorizer.may_ask(caller, mutation.action, account_id, mutation.body.target)
        except IdentityError as error:
            await self._audit(caller, mutation, account_id, error)
            raise

    async def may_have(self, caller: Caller, mutation: Mutation, planned: PlannedMutation) -> None:
        """Refuse a plan that the caller may not have. Raises NOT_OWNER or CALLER_NOT_ALLOWED."""
        try:
            if planned.target_tags is not None:
                _require_owner(caller, mutation, planned, planned.target_tags)
            self._authorizer.may_have(caller, _proposal(mutation, planned))
        except IdentityError as error:
            await self._audit(caller, mutation, planned.plan.account_id, error)
            raise

    async def _audit(self, caller: Caller, mutation: Mutation, account_id: str, error: IdentityError) -> None:
        denial = Denial(
            caller_id=caller.id,
            team=caller.team,
            action=mutation.action,
            account_id=account_id,
            target=mutation.body.target,
            request_id=mutation.request_id,
            reason=error.reason.name,
        )
        await self._ledger.record_denial(denial)


def _proposal(mutation: Mutation, planned: PlannedMutation) -> Proposal:
    return Proposal(
        action=mutation.action,
        plan=planned.plan,
        user=planned.before.user if planned.before else None,
        target_tags=planned.target_tags,
        copied_from=planned.copied_from,
    )


def _require_owner(caller: Caller, mutation: Mutation, planned: PlannedMutation, its_tags: Mapping[str, str]) -> None:
    """Refuse what another team owns, and what nobody owns unless it is to be adopted.

    No policy can allow more: the owner is in IAM, the team is in the caller's certificate, neither is in the request.
    """
    owner = tags.owner_of(its_tags)
    if owner == caller.team or (not owner and isinstance(mutation.body, UserAdoption)):
        return
    kind, name = planned.plan.target.kind.value, planned.plan.target.name
    resource = Resource(f"iam:{kind.capitalize()}", name)
    if planned.owned_device:
        kind, resource = "MFA device", Resource("iam:MFADevice", planned.owned_device)
    raise IdentityError(Reason.NOT_OWNER, f"the {kind} does not belong to the caller's team", resource=resource)
