"""How every mutating RPC reaches the application."""

from typing import Protocol

from identity_service.application.work import OwnedWork
from identity_service.domain.caller import Caller
from identity_service.domain.outcome import Outcome
from identity_service.domain.plan import Plan
from identity_service.domain.request import Mutation
from identity_service.rpc.call import current_caller


class RunsMutations(Protocol):
    """What a mutating RPC needs of the application."""

    async def run(self, caller: Caller, mutation: Mutation) -> Plan | Outcome:
        """Plan a mutation, and run it unless it only wants its plan."""


class Mutations:
    """Runs mutations as work that the server owns: a client that goes away stops its waiting and nothing else."""

    def __init__(self, service: RunsMutations, work: OwnedWork) -> None:
        self._service = service
        self._work = work

    async def run(self, mutation: Mutation) -> Plan | Outcome:
        """Run a mutation of the current caller and wait for what comes of it."""
        caller = current_caller()
        return await self._work.run(lambda: self._service.run(caller, mutation), mutation.account_id)
