"""Each alert, asked by Prometheus's own tool: it fires when something is wrong, and is silent when all is well.

The world has two deployments of the service, and another service with troubles of its own: whose alert it is counts.
"""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from tests.support.monitoring import JOB, alerts, rule_groups

pytestmark = pytest.mark.system

Need = Callable[[str], str]
Series = Mapping[str, str]
PROD, SECOND, ELSEWHERE = "prod", "second", "shop"
RPCS = "rpc_server_call_duration_seconds_count"
CALLS = "rpc_client_call_duration_seconds_count"
STORE = "db_client_operation_duration_seconds_count"
MUTATIONS = "identity_service_mutation_duration_seconds_count"
PROVISIONS = "identity_service_mutation_duration_seconds_bucket"
QUEUE, QUEUE_AGE = "identity_service_queue_size", "identity_service_queue_age_seconds"
WANTED, AVAILABLE = "kube_deployment_spec_replicas", "kube_deployment_status_replicas_available"
MIGRATION = "identity-service-migrate-7-8-9"
FIRST_EVER = "_x175 1x5"
"""A series that begins with one, five minutes ago, and never grows."""


def ours(metric: str, values: str, namespace: str = SECOND, **labels: str) -> Series:
    """Write a series of the service, in one of its namespaces."""
    return named(metric, values, job=JOB, namespace=namespace, **labels)


def foreign(metric: str, values: str, **labels: str) -> Series:
    """Write a series of another service."""
    return named(metric, values, job="shop", namespace=ELSEWHERE, **labels)


def named(metric: str, values: str, **labels: str) -> Series:
    """Write a series with its values by the minute."""
    inside = ",".join(f'{name}="{text}"' for name, text in sorted(labels.items()))
    return {f"{metric}{{{inside}}}": values}


def deployment(namespace: str) -> Series:
    """Show a deployment of three replicas, in three hours in which it makes users in bulk."""
    return {
        **named("kube_service_info", "1x180", namespace=namespace, service=JOB),
        **named(WANTED, "3x180", namespace=namespace, deployment="identity-service"),
        **named(AVAILABLE, "3x180", namespace=namespace, deployment="identity-service"),
        **named("kube_job_failed", "0x180", namespace=namespace, job_name=MIGRATION, condition="true"),
        **{key: "1x180" for instance in "abc" for key in ours("up", "", namespace, instance=instance)},
        **ours("identity_service_ready", "1x180", namespace, check="store", instance="a"),
        **ours("identity_service_ready", "1x180", namespace, check="policies", instance="a"),
        **ours("identity_service_ready", "1x180", namespace, check="certificate", instance="a"),
        **ours(STORE, "0+60x180", namespace, error_type="", instance="a"),
        **ours("identity_service_certificate_remaining_seconds", "5000000-60x180", namespace, certificate="server"),
        **ours("identity_service_certificate_lifetime_seconds", "7776000x180", namespace, certificate="server"),
        **ours("identity_service_files_refused", "0x180", namespace, files="tls"),
        **ours("identity_service_audit_heads_age_seconds", "30x180", namespace),
        **ours(RPCS, "0+60x180", namespace, rpc_method="GetUser", rpc_response_status_code="OK"),
        **ours(RPCS, "0+1x180", namespace, rpc_method="GetUser", error_type="USER_NOT_FOUND"),
        **ours(CALLS, "0+600x180", namespace, error_type=""),
        **ours(CALLS, "0+6x180", namespace, error_type="THROTTLED"),
        **ours(MUTATIONS, "0+60x180", namespace, action="ProvisionUser", outcome="OK", bulk="true"),
        **ours(QUEUE_AGE, "0x180", namespace, queue="abandoned"),
        **ours(QUEUE_AGE, "0x180", namespace, queue="second_look"),
        **ours(QUEUE, "500x180", namespace, queue="bulk"),
        **ours("identity_service_leases_lost_total", "0x180", namespace, instance="a"),
        **ours("identity_service_second_look_findings_total", "0x180", namespace, finding="missing"),
    }


FOREIGN: Series = {
    **foreign("up", "0x180", instance="s"),
    **named("kube_service_info", "1x180", namespace=ELSEWHERE, service="identity-service"),
    **named(WANTED, "3x180", namespace=ELSEWHERE, deployment="identity-service"),
    **named(AVAILABLE, "1x180", namespace=ELSEWHERE, deployment="identity-service"),
    **named("kube_job_failed", "1x180", namespace=ELSEWHERE, job_name="shop-migrate", condition="true"),
    **foreign(RPCS, "0+9x180", rpc_method="Buy", rpc_response_status_code="INTERNAL", error_type="NOT_OWNER"),
    **foreign(CALLS, "0+9x180", error_type="UNAVAILABLE"),
    **foreign(CALLS, "0+9x180", error_type="THROTTLED"),
    **foreign(STORE, "0+9x180", error_type="timeout", instance="s"),
}
"""What another service shows, which has the same names of metrics, and is not well."""
HEALTHY: Series = {**deployment(PROD), **deployment(SECOND), **FOREIGN}


@dataclass(frozen=True)
class Case:
    """What is different in the second namespace, and which alerts of its fire: none where it is not enough for one."""

    name: str
    firing: Sequence[str]
    different: Series = field(default_factory=dict)


GONE = {key: "1x100 _x80" for instance in "abc" for key in ours("up", "", instance=instance)}
MADE_IN_BULK = {"action": "ProvisionUser", "outcome": "OK", "bulk": "true"}
ALL_TAKEN = {"action": "ProvisionUser", "outcome": "USER_ALREADY_EXISTS", "bulk": "true"}
DENIED = {"action": "DeleteUser", "outcome": "AWS_ACCESS_DENIED", "bulk": "false"}
REFUSED = {"rpc_method": "GetUser", "error_type": "AWS_CREDENTIALS_REFUSED"}
OVERLOADED = {"rpc_method": "GetUser", "rpc_response_status_code": "UNAVAILABLE", "error_type": "OVERLOADED"}
SLOW = {
    key: f"0+{rate}x180"
    for le, rate in (("20", 8), ("30", 10), ("+Inf", 10))
    for key in ours(PROVISIONS, "", action="ProvisionUser", bulk="false", le=le)
}
WRONG = (
    Case("all gone", ["IdentityServiceDown"], GONE),
    Case("never up", ["IdentityServiceDown"], dict.fromkeys(GONE, "_x180")),
    Case("none answers", ["IdentityServiceDown"], dict.fromkeys(GONE, "1x170 0x10")),
    Case(
        "two pods of three gone",
        ["IdentityServiceReplicasMissing"],
        {
            **dict.fromkeys(list(GONE)[:2], "1x100 _x80"),
            **named(AVAILABLE, "3x100 1x80", namespace=SECOND, deployment="identity-service"),
        },
    ),
    Case("one of three cannot be scraped", ["IdentityServiceReplicasMissing"], {next(iter(GONE)): "1x160 0x20"}),
    Case(
        "no store",
        ["IdentityServiceStoreUnavailable"],
        ours("identity_service_ready", "1x170 0x10", check="store", instance="a"),
    ),
    Case(
        "no certificate",
        ["IdentityServiceNotReady"],
        ours("identity_service_ready", "1x170 0x10", check="certificate", instance="a"),
    ),
    Case(
        "no policies",
        ["IdentityServiceNotReady"],
        ours("identity_service_ready", "1x170 0x10", check="policies", instance="a"),
    ),
    Case("store errors", ["IdentityServiceStoreErrors"], ours(STORE, "0+1x180", error_type="busy", instance="a")),
    Case(
        "a certificate that nobody renews",
        ["IdentityServiceCertificateExpiring"],
        ours("identity_service_certificate_remaining_seconds", "750000x180", certificate="server"),
    ),
    Case(
        "broken files",
        ["IdentityServiceFilesRefused"],
        ours("identity_service_files_refused", "0x170 1x10", files="tls"),
    ),
    Case(
        "audit heads not logged",
        ["IdentityServiceAuditHeadsNotLogged"],
        ours("identity_service_audit_heads_age_seconds", "0+60x180"),
    ),
    Case(
        "the first fault",
        ["IdentityServiceFaults"],
        ours(RPCS, FIRST_EVER, rpc_method="GetUser", rpc_response_status_code="INTERNAL"),
    ),
    Case(
        "one fault more",
        ["IdentityServiceFaults"],
        ours(RPCS, "7x175 8x5", rpc_method="GetUser", rpc_response_status_code="UNKNOWN"),
    ),
    Case("the first denial by AWS", ["IdentityServiceAwsRefuses"], ours(MUTATIONS, FIRST_EVER, **DENIED)),
    Case("denials by AWS", ["IdentityServiceAwsRefuses"], ours(MUTATIONS, "0+1x180", **DENIED)),
    Case("the role refused for a read", ["IdentityServiceAwsRefuses"], ours(RPCS, FIRST_EVER, **REFUSED)),
    Case("the role refused for reads", ["IdentityServiceAwsRefuses"], ours(RPCS, "0+1x180", **REFUSED)),
    Case("AWS away", ["IdentityServiceAwsUnavailable"], ours(CALLS, "0+100x180", error_type="UNAVAILABLE")),
    Case("throttled", ["IdentityServiceThrottled"], ours(CALLS, "0+100x180", error_type="THROTTLED")),
    Case("overloaded", ["IdentityServiceOverloaded"], ours(RPCS, "0+6x180", **OVERLOADED)),
    Case(
        "one replica overloaded beside one that has nearly all calls",
        ["IdentityServiceOverloaded"],
        {
            **ours(RPCS, "0+600x180", rpc_method="GetUser", rpc_response_status_code="OK", instance="a"),
            **ours(RPCS, "0+60x180", rpc_method="GetUser", rpc_response_status_code="OK", instance="b"),
            **ours(RPCS, "0+6x180", **OVERLOADED, instance="b"),
        },
    ),
    Case("slow", ["IdentityServiceSlow"], SLOW),
    Case("abandoned", ["IdentityServiceAbandonedWork"], ours(QUEUE_AGE, "0+60x180", queue="abandoned")),
    Case("not looked at", ["IdentityServiceSecondLooksLate"], ours(QUEUE_AGE, "0+60x180", queue="second_look")),
    Case(
        "a key of which nobody knows whose it is",
        ["IdentityServiceSecondLookFindings"],
        ours("identity_service_second_look_findings_total", "0x170 1x10", finding="unattributed"),
    ),
    Case("bulk at a standstill", ["IdentityServiceBulkStalled"], ours(MUTATIONS, "0+60x150 9000x30", **MADE_IN_BULK)),
    Case(
        "bulk that waits while every user fails",
        ["IdentityServiceBulkFails", "IdentityServiceBulkStalled"],
        {**ours(MUTATIONS, "9000x180", **MADE_IN_BULK), **ours(MUTATIONS, "0+9x180", **ALL_TAKEN)},
    ),
    Case(
        "bulk all of which has failed between two scrapes",
        ["IdentityServiceBulkFails"],
        {
            **ours(QUEUE, "0x180", queue="bulk"),
            **ours(MUTATIONS, "9000x180", **MADE_IN_BULK),
            **ours(MUTATIONS, "_x172 90x8", **ALL_TAKEN),
        },
    ),
    Case(
        "leases lost",
        ["IdentityServiceLeasesLost"],
        ours("identity_service_leases_lost_total", "0+1x180", instance="a"),
    ),
    Case(
        "the first undo that was not whole",
        ["IdentityServiceUndoIncomplete"],
        ours(MUTATIONS, FIRST_EVER, action="ProvisionUser", outcome="UNDO_INCOMPLETE", bulk="false"),
    ),
    Case(
        "a migration that has failed",
        ["IdentityServiceMigrationFailed"],
        named(
            "kube_job_failed",
            "0x170 1x10",
            namespace=SECOND,
            job_name=MIGRATION,
            condition="true",
        ),
    ),
    Case("denials", ["IdentityServiceDenials"], ours(RPCS, "0+10x180", rpc_method="GetUser", error_type="NOT_OWNER")),
)
NEARLY = (
    Case("all is well", []),
    Case("none scraped for three minutes", [], dict.fromkeys(GONE, "1x120 _x3 1x60")),
    Case(
        "a rollout that takes five minutes",
        [],
        named(AVAILABLE, "3x175 2x5", namespace=SECOND, deployment="identity-service"),
    ),
    Case("one more than is wanted", [], named(AVAILABLE, "4x180", namespace=SECOND, deployment="identity-service")),
    Case(
        "a certificate renewed at once",
        [],
        ours("identity_service_ready", "1x179 0x1", check="certificate", instance="a"),
    ),
    Case(
        "findings of yesterday",
        [],
        ours("identity_service_second_look_findings_total", "3x180", finding="unattributed"),
    ),
    Case("a refusal of thirty that is for want of a place", [], ours(RPCS, "0+2x180", **OVERLOADED)),
    Case("a flood of eight minutes", [], ours(RPCS, "0x172 30+30x7", **OVERLOADED)),
    Case("a denial of yesterday", [], ours(MUTATIONS, "7x180", **DENIED)),
    Case(
        "refusals that are the caller's", [], ours(RPCS, "0+9x180", rpc_method="GetUser", error_type="QUOTA_EXCEEDED")
    ),
    Case(
        "bulk of which half fails",
        [],
        {**ours(MUTATIONS, "0+9x180", **MADE_IN_BULK), **ours(MUTATIONS, "0+9x180", **ALL_TAKEN)},
    ),
    Case(
        "bulk of ten users who all fail",
        [],
        {
            **ours(QUEUE, "0x180", queue="bulk"),
            **ours(MUTATIONS, "9000x180", **MADE_IN_BULK),
            **ours(MUTATIONS, "_x172 10x8", **ALL_TAKEN),
        },
    ),
    Case(
        "bulk whose first users were made between two scrapes",
        [],
        {**ours(MUTATIONS, "_x172 40x8", **MADE_IN_BULK), **ours(MUTATIONS, "0+9x180", **ALL_TAKEN)},
    ),
)


def promtool_test(case: Case) -> dict[str, object]:
    """Write a test of promtool's: after three hours, just these alerts fire, all of the second namespace."""
    series = [{"series": name, "values": values} for name, values in {**HEALTHY, **case.different}.items()]
    samples = [{"labels": f'{{alertname="{name}", namespace="{SECOND}"}}', "value": 1} for name in case.firing]
    expression = 'count by (alertname, namespace) (ALERTS{alertstate="firing"})'
    asked = [{"expr": expression, "eval_time": "3h", "exp_samples": samples}]
    return {"interval": "1m", "input_series": series, "promql_expr_test": asked}


def ask_promtool(program: str, folder: Path, tests: Sequence[Mapping[str, object]]) -> None:
    """Have the tests run."""
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": rule_groups()}))
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": list(tests)}
    (folder / "test.yaml").write_text(yaml.safe_dump(document, width=10_000))
    command = [program, "test", "rules", str(folder / "test.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case() -> None:
    """A new alert fails here until it was seen to fire."""
    assert {name for case in WRONG for name in case.firing} == {alert["alert"] for alert in alerts()}


@pytest.mark.parametrize("case", [*WRONG, *NEARLY], ids=lambda case: case.name)
def test_just_the_right_alert_fires(case: Case, need: Need, tmp_path: Path) -> None:
    """What is wrong in one namespace fires its own alerts there and no other; what is nearly wrong wakes up nobody."""
    ask_promtool(need("promtool"), tmp_path, [promtool_test(case)])


def test_a_service_that_nobody_has_ever_scraped_is_down(need: Need, tmp_path: Path) -> None:
    """Where the rules are and nothing of the service is, not even kube-state-metrics, the alert says so."""
    asked = {"expr": 'ALERTS{alertname="IdentityServiceDown",alertstate="firing"}', "eval_time": "1h"}
    labels = f'ALERTS{{alertname="IdentityServiceDown",alertstate="firing",job="{JOB}",severity="critical"}}'
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in foreign("up", "1x60").items()],
        "promql_expr_test": [{**asked, "exp_samples": [{"labels": labels, "value": 1}]}],
    }
    ask_promtool(need("promtool"), tmp_path, [test])
