"""The plans of making and of deleting a managed policy on its own."""

from collections.abc import Sequence

from identity_service.domain.entities import PolicyDetails, PolicyUsage
from identity_service.domain.errors import Reason, Resource
from identity_service.domain.facts import AccountFacts
from identity_service.domain.plan import Plan
from identity_service.domain.planning.draft import Draft
from identity_service.domain.planning.new_entities import plan_new_policies
from identity_service.domain.planning.rights import NamedDocument, warn_of_escalation, warn_of_width
from identity_service.domain.request import PolicyCreation, PolicyDeletion
from identity_service.domain.steps import DeletePolicy, DeletePolicyVersion


def plan_policy_creation(creation: PolicyCreation, facts: AccountFacts, row_id: str, team: str) -> Plan:
    """Plan a managed policy."""
    draft = Draft(facts, creation.target)
    plan_new_policies(draft, [(creation.policy, "policy")], row_id, team)
    name, document = creation.policy.policy_name, creation.policy.document
    made = NamedDocument(f"managed policy {name}", document, "policy.document", is_written_here=True)
    if not draft.problems:
        warn_of_width(draft, made)
        warn_of_escalation(draft, made)
    return draft.finish()


def plan_policy_deletion(
    deletion: PolicyDeletion,
    facts: AccountFacts,
    policy: PolicyDetails | None,
    usage: PolicyUsage,
    other_versions: Sequence[str],
) -> Plan:
    """Plan the deletion of a policy with all its versions; one in use is not deleted, and its uses are named."""
    draft = Draft(facts, deletion.target)
    arn = deletion.policy_arn
    if policy is None:
        draft.stop(
            Reason.POLICY_NOT_FOUND, f"there is no managed policy {arn}", "policy_arn", Resource("iam:Policy", arn)
        )
        return draft.finish()
    if usage.in_words:
        uses = ", ".join(usage.in_words)
        draft.stop(Reason.IN_USE, f"policy {arn} is in use: {uses}", "policy_arn", Resource("iam:Policy", arn))
    for version_id in other_versions:
        draft.do(DeletePolicyVersion(policy_arn=arn, round=1, version_id=version_id))
    draft.do(DeletePolicy(policy_arn=arn, round=2))
    return draft.finish()
