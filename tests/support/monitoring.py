"""What is asked of Prometheus: the queries of the alerts and of the dashboard."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parents[2] / "k8s" / "components" / "monitoring"
RULES, DASHBOARD = FOLDER / "prometheus-rule.yaml", FOLDER / "dashboard.json"
JOB = "identity-service-metrics"
"""The name of the Service that is scraped: the Prometheus operator makes it the label `job`."""
NOT_METRICS = frozenset(
    {
        "absent_over_time", "and", "bool", "by", "clamp_max", "count", "group", "histogram_quantile", "ignoring",
        "increase", "label_replace", "last_over_time", "max", "min", "offset", "on", "or", "rate", "sum", "unless",
        "vector",
    }
)  # fmt: skip
"""The words of PromQL that the queries use."""
OTHERS = ("up", "kube_")
"""How metrics begin that are not the server's own, but Prometheus's and kube-state-metrics'."""


NAMESPACE = "identity-service"


@dataclass(frozen=True)
class Query:
    """A query of a panel, with the panel's title and the name that its lines get."""

    title: str
    expression: str
    legend: str


def rule_groups() -> list[dict[str, Any]]:
    """Return the groups of rules, in Prometheus's own form."""
    groups: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["spec"]["groups"]
    return groups


def alerts() -> list[dict[str, Any]]:
    """Return every alert."""
    return [rule for group in rule_groups() for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """Return the dashboard's panels, without the headlines between them."""
    return [each for each in everything() if each["type"] != "row"]


def everything() -> list[dict[str, Any]]:
    """Return the dashboard's panels and headlines."""
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def fill_in(expression: str, interval: str) -> str:
    """Put into a query what Grafana puts in: the interval, and what is chosen at the top of the dashboard."""
    filled = expression.replace("$__rate_interval", interval)
    return filled.replace("$namespace", NAMESPACE).replace("$job", JOB)


def dashboard_queries(interval: str = "1m") -> list[Query]:
    """Return the queries of all panels, filled in."""
    return [
        Query(panel["title"], fill_in(target["expr"], interval), target["legendFormat"])
        for panel in panels()
        for target in panel["targets"]
    ]


def metrics_in(expression: str) -> set[str]:
    """Name the metrics that a query reads: its words that are no function, label or text."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(by|on|ignoring) \([^)]*\)', " ", expression)
    return set(re.findall(r"\b[a-z_][a-z0-9_]*\b", bare)) - NOT_METRICS
