"""Everything that one reading of the authorization files came to: checked, prepared, and never changed."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import cedarpy

from identity_service.adapters.authorization import policies, settings
from identity_service.adapters.authorization.folder import CALLERS, POLICIES, FolderContent
from identity_service.adapters.authorization.policies import KnownNames
from identity_service.adapters.authorization.questions import Questions, about_plan, about_rpc
from identity_service.adapters.authorization.schema import action_entities
from identity_service.adapters.authorization.settings import (
    EVERY_OTHER_ACCOUNT,
    AuthorizationFileError,
    AuthorizationSettings,
)
from identity_service.domain.caller import Caller
from identity_service.domain.guard_rails import GuardRails, breaches
from identity_service.domain.proposal import Proposal
from identity_service.domain.target import Target

RPC = "rpc"
GRANT = "grant"
GUARD_RAIL = "guard-rail"

NOBODY, NOTHING = Caller(id="", team=""), "GetAccount"
"""Who asks, and what for, where the answer does not matter."""
NO_POLICY = "no policy allows it"
NO_ACCOUNT = f"{CALLERS} does not give the team this account"


@dataclass(frozen=True)
class Verdict:
    """What was decided on one question.

    `rule` is the reason code that a denied caller learns; `decided_by` is for the operator: policies and guard rails.
    """

    action: str
    about: str
    allowed: bool
    rule: str
    decided_by: tuple[str, ...]


class Rules:
    """Decides by the operator's files."""

    def __init__(self, content: FolderContent) -> None:
        """Check and prepare the files. Raises AuthorizationFileError with everything that is wrong."""
        self._settings = _settings(content)
        self.trust_domains = self._settings.trust_domains
        self._guard_rails = {name: team.rails() for name, team in self._settings.teams.items()}
        known = KnownNames(self._settings.teams, self._settings.callers)
        names = [name for name in content.files if name.endswith(POLICIES)]
        read, mistakes = policies.read({str(content.path / name): content.text(name) for name in names}, known)
        if mistakes:
            raise AuthorizationFileError("\n".join(mistakes))
        self._policies = cedarpy.PolicySet.from_str("\n".join(policy.text for policy in read))
        self._places: Mapping[str, str] = {policy.policy_id: policy.place for policy in read}

    @property
    def size(self) -> tuple[int, int, int]:
        """How many teams, callers and policies there are."""
        return len(self._settings.teams), len(self._settings.callers), len(self._places)

    def _rails(self, team: str, account_id: str) -> GuardRails | None:
        """Return the guard rails of a team in an account; None where the team may do nothing."""
        accounts = self._guard_rails.get(team, {})
        return accounts.get(account_id) or accounts.get(EVERY_OTHER_ACCOUNT)

    def team_of(self, caller_id: str) -> str | None:
        """Return the team of a caller; None for one that nobody knows."""
        return self._settings.callers.get(caller_id)

    def lets_in(self, team: str, account_id: str) -> bool:
        """Tell whether a team may do anything at all in an account."""
        return self._rails(team, account_id) is not None

    def about_rpc(self, caller: Caller, action: str, account_id: str, target: Target | None) -> Iterator[Verdict]:
        """Decide whether a caller may call an RPC for an account at all."""
        questions = about_rpc(caller, action, account_id, target)
        if self._rails(caller.team, account_id) is None:
            yield Verdict(action, questions.asked[0].about, allowed=False, rule=RPC, decided_by=(NO_ACCOUNT,))
        else:
            yield from self._ask(questions, RPC)

    def ask_nothing(self) -> None:
        """Ask the policies about nobody: which answer comes does not matter, but that one does.

        Raises whatever the engine raises where it cannot answer.
        """
        list(self._ask(about_rpc(NOBODY, NOTHING, "", None), RPC))

    def about_plan(self, caller: Caller, proposal: Proposal) -> Iterator[Verdict]:
        """Decide on an expanded plan: the RPC again, each step, then the guard rails."""
        account_id = proposal.plan.account_id
        yield from self.about_rpc(caller, proposal.action, account_id, proposal.plan.target)
        yield from self._ask(about_plan(caller, proposal), GRANT)
        yield from _judged(self._rails(caller.team, account_id) or GuardRails(), proposal)

    def _ask(self, questions: Questions, rule: str) -> Iterator[Verdict]:
        entities = action_entities().with_added_json_str(json.dumps(questions.entities))
        answers = cedarpy.is_authorized_batch(questions.requests(), self._policies, entities)
        for question, answer in zip(questions.asked, answers, strict=True):
            # Cedar leaves a policy out that it cannot evaluate; one that forbids would then forbid nothing.
            broken = tuple(answer.diagnostics.errors)
            decided_by = broken or self._named(answer) or (NO_POLICY,)
            yield Verdict(question.action, question.about, answer.allowed and not broken, rule, decided_by)

    def _named(self, answer: cedarpy.AuthzResult) -> tuple[str, ...]:
        ids = answer.diagnostics.id_annotations_by_reason.values()
        return tuple(f"{policy_id} ({self._places[policy_id]})" for policy_id in sorted(ids))


def _settings(content: FolderContent) -> AuthorizationSettings:
    return settings.parse(str(content.path / CALLERS), content.text(CALLERS))


def _judged(rails: GuardRails, proposal: Proposal) -> Iterator[Verdict]:
    for breach in breaches(rails, proposal):
        yield Verdict(
            action=breach.step.iam_action,
            about=breach.step.resource,
            allowed=False,
            rule=f"{GUARD_RAIL}:{breach.rail.value}",
            decided_by=(f"guard rail {breach.rail.value}: {breach.words}",),
        )
