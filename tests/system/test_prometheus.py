"""A real Prometheus: it understands the rules, and under load every graph of the dashboard has something to show."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.monitoring import Query, dashboard_queries, rule_groups
from tests.system.monitored import under_load
from tests.system.prometheus import Prometheus, eventually, rules_file

pytestmark = pytest.mark.system

Need = Callable[[str], str]
LOAD_SECONDS = float(os.environ.get("LOAD_SECONDS", "20"))
HEALTHY_IS_NONE = {
    ("Replicas that fail a check", "{{check}}"),
    ("Leases lost and takeovers", "lost, {{instance}}"),
    ("Store errors", "{{instance}}"),
    ("Files refused", "{{files}}"),
}
"""The lines, by panel and name, that are flat at 0 as long as nothing is wrong; the load breaks none of it."""


def test_promtool_understands_the_rules(need: Need, tmp_path: Path) -> None:
    """Prometheus's own check finds nothing to complain about."""
    command = [need("promtool"), "check", "rules", str(rules_file(tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture(scope="module")
def prometheus(need: Need) -> Iterator[Prometheus]:
    """Run two replicas and Prometheus, and put them under load for some seconds."""
    with under_load(need("prometheus"), LOAD_SECONDS) as load:
        yield load.replicas.prometheus


def numbers(lines: list[dict[str, Any]]) -> list[float]:
    """Return all numbers of a graph."""
    return [float(text) for line in lines for _, text in line["values"] if text != "NaN"]


@pytest.mark.parametrize("query", dashboard_queries("10s"), ids=lambda query: f"{query.title}, {query.legend}")
def test_every_graph_has_something_to_show(prometheus: Prometheus, query: Query) -> None:
    """Each query returns lines with numbers: not all 0, unless 0 is what a healthy service shows."""

    def is_shown() -> bool:
        found = numbers(prometheus.graph(query.expression))
        return any(found) or (bool(found) and (query.title, query.legend) in HEALTHY_IS_NONE)

    # A rate needs two scrapes after what it counts, and work that is due is looked at every ten seconds.
    eventually(is_shown)


def test_every_rule_is_evaluated_and_a_healthy_server_wakes_up_nobody(prometheus: Prometheus) -> None:
    """Prometheus evaluates each alert without an error, and none of them fires that somebody must act on at once."""

    def rules() -> list[dict[str, Any]]:
        return [rule for group in prometheus.ask("rules") for rule in group["rules"]]

    eventually(lambda: all(rule["health"] != "unknown" for rule in rules()))
    assert {rule["name"]: rule["health"] for rule in rules()} == {
        rule["alert"]: "ok" for group in rule_groups() for rule in group["rules"]
    }
    firing = {rule["name"] for rule in rules() if rule["state"] == "firing"}
    assert firing == set()
