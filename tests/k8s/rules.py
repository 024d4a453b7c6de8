"""All rules of hardening. Each is a function whose name and docstring say it, and which yields what breaks it."""

from collections.abc import Callable, Collection, Iterator
from functools import partial

from tests.k8s.manifests import Manifests
from tests.k8s.network_rules import NETWORK_RULES
from tests.k8s.pod_rules import POD_RULES
from tests.k8s.reach_rules import REACH_RULES
from tests.k8s.reference_rules import REFERENCE_RULES, resolved
from tests.k8s.service_rules import SERVICE_RULES
from tests.k8s.startup_rules import STARTUP_RULES

Rule = Callable[[Manifests], Iterator[str]]
RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (*POD_RULES, *SERVICE_RULES, *NETWORK_RULES, *REACH_RULES, *REFERENCE_RULES, *STARTUP_RULES)
}


def broken_rules(manifests: Manifests, secrets: Collection[str] = ()) -> dict[str, list[str]]:
    """Return what breaks each rule; a rule that holds is left out. `secrets` names Secrets that others make."""
    rules = RULES | {resolved.__name__: partial(resolved, elsewhere=secrets)}
    found = {name: list(rule(manifests)) for name, rule in rules.items()}
    return {name: problems for name, problems in found.items() if problems}
