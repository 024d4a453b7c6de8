"""Alerts, their runbook and the dashboard fit together."""

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.support.monitoring import DASHBOARD, JOB, alerts, metrics_in, panels

NAMES = [alert["alert"] for alert in alerts()]


def runbook(root: Path) -> str:
    """Return the part of the guide that is about alerts."""
    _, _, after = (root / "docs" / "operations.md").read_text().partition("\n## Alerts\n")
    return re.split(r"(?m)^## ", after)[0]


def test_every_alert_has_its_section_and_every_section_its_alert(root: Path) -> None:
    """Whoever is woken up finds what to do under the alert's own name, and no section is about nothing."""
    assert re.findall(r"(?m)^### (\w+)$", runbook(root)) == NAMES
    assert len(set(NAMES)) == len(NAMES) > 10


@pytest.mark.parametrize("alert", alerts(), ids=NAMES)
def test_an_alert_says_what_is_wrong_and_where_to_read_on(alert: dict[str, dict[str, str]]) -> None:
    """Each has a summary, the address of its section, and one of two severities."""
    assert alert["annotations"]["summary"].endswith(".")
    assert alert["annotations"]["runbook_url"] == f"docs/operations.md#{str(alert['alert']).lower()}"
    assert alert["labels"]["severity"] in ("critical", "warning")


@pytest.mark.parametrize("section", NAMES)
def test_a_section_says_something(section: str, root: Path) -> None:
    """No section is a headline alone."""
    text = runbook(root).partition(f"### {section}\n")[2].partition("\n### ")[0]
    assert len(text.split()) > 20


def test_no_alert_shows_whom_a_request_was_about() -> None:
    """Alerts go to chats and telephones: their texts name servers, RPCs and reasons, and nobody."""
    shown = set(re.findall(r"\$labels\.(\w+)", json.dumps(alerts())))
    known = {"instance", "certificate", "check", "files", "rpc_method", "reason", "error_type", "action", "finding"}
    assert shown <= known | {"namespace", "job_name"}


def test_alerts_are_about_this_service_alone(root: Path) -> None:
    """Whatever an alert reads is of the Service that is scraped, or bears a name that is this service's."""
    folder = root / "k8s" / "components" / "monitoring"
    assert yaml.safe_load((folder / "service.yaml").read_text())["metadata"]["name"] == JOB
    assert "jobLabel" not in yaml.safe_load((folder / "service-monitor.yaml").read_text())["spec"]
    own = re.compile(rf'\s*{{(job="{JOB}"|service="{JOB}"|deployment="identity-service"|job_name=~"identity-service-)')
    for alert in alerts():
        for name in metrics_in(alert["expr"]):
            for place in re.finditer(rf"\b{name}\b", alert["expr"]):
                assert own.match(alert["expr"], place.end()), (alert["alert"], name)


def test_deployments_do_not_hide_each_other() -> None:
    """No alert adds up what it reads over namespaces: each has a deployment of its own."""
    words = r"\b(?:sum|max|min|count|group)\b( by \([^)]*\))?"
    for alert in alerts():
        for grouping in re.findall(words, alert["expr"]):
            assert grouping.startswith(" by (namespace"), alert["alert"]


def test_panels_have_titles_units_and_places_of_their_own() -> None:
    """A graph says what it shows and in what, and covers no other."""
    for panel in panels():
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
    assert len({panel["id"] for panel in panels()}) == len(panels())
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels()}) == len(panels())
    assert json.loads(DASHBOARD.read_text())["uid"] == "identity-service"


def test_graphs_are_of_the_deployment_that_is_chosen() -> None:
    """Whatever a graph reads is of the namespace and the job that are chosen at its top."""
    variables = {each["name"] for each in json.loads(DASHBOARD.read_text())["templating"]["list"]}
    assert variables == {"datasource", "namespace", "job"}
    for panel in panels():
        for expression in (target["expr"] for target in panel["targets"]):
            for name in metrics_in(expression):
                selected = expression.count(f'{name}{{job="$job", namespace="$namespace"')
                assert selected == len(re.findall(rf"\b{name}\b", expression)) > 0, panel["title"]


def test_the_runbook_names_graphs_that_are_there(root: Path) -> None:
    """A graph that an alert's section sends its reader to bears that title on the dashboard."""
    named = set(re.findall(r'(?<![=~])"([A-Z][^"]+)"', " ".join(runbook(root).split())))
    assert named <= {panel["title"] for panel in panels()}
    assert len(named) > 4


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('sum by (le, x) (rate(a_bucket{b="c"}[5m])) > 0.1 * d_total', {"a_bucket", "d_total"}),
        ('absent_over_time(up{job="x"}[1d]) unless on () max(e offset 10m) > 0', {"up", "e"}),
    ],
)
def test_metrics_of_a_query_are_found(expression: str, expected: set[str]) -> None:
    """What the other tests look for is what the query reads."""
    assert metrics_in(expression) == expected
