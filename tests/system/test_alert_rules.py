"""Each alert, asked by Prometheus's own tool: it fires when something is wrong, and is silent when all is well."""

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from tests.support.monitoring import alerts, rule_groups

pytestmark = pytest.mark.system

Need = Callable[[str], str]
Series = Mapping[str, str]
RPCS = "rpc_server_call_duration_seconds_count"
CALLS = "rpc_client_call_duration_seconds_count"
MUTATIONS = "identity_service_mutation_duration_seconds_count"
PROVISIONS = "identity_service_mutation_duration_seconds_bucket"
SLOW = {
    f'{PROVISIONS}{{action="ProvisionUser",bulk="false",le="{le}"}}': f"0+{rate}x180"
    for le, rate in (("20", 8), ("30", 10), ("+Inf", 10))
}
HEALTHY: Series = {
    'identity_service_ready{check="store",instance="a"}': "1x180",
    'db_client_operation_duration_seconds_count{error_type="",instance="a"}': "0+60x180",
    'identity_service_certificate_remaining_seconds{certificate="server"}': "5000000-60x180",
    'identity_service_certificate_lifetime_seconds{certificate="server"}': "7776000x180",
    'identity_service_files_refused{files="tls"}': "0x180",
    "identity_service_audit_heads_age_seconds": "30x180",
    f'{RPCS}{{rpc_method="GetUser",rpc_response_status_code="OK"}}': "0+60x180",
    f'{CALLS}{{error_type=""}}': "0+600x180",
    f'{CALLS}{{error_type="THROTTLED"}}': "0+6x180",
    f'{MUTATIONS}{{action="ProvisionUser",outcome="OK",bulk="true"}}': "0+60x180",
    'identity_service_queue_age_seconds{queue="abandoned"}': "0x180",
    'identity_service_queue_age_seconds{queue="second_look"}': "0x180",
    'identity_service_queue_size{queue="bulk"}': "500x180",
    'identity_service_leases_lost_total{instance="a"}': "0x180",
}
"""What a server shows in three hours in which it makes users in bulk, by the minute."""
WRONG: Mapping[str, Series] = {
    "IdentityServiceDown": {'identity_service_ready{check="store",instance="a"}': "1x100 _x80"},
    "IdentityServiceStoreUnavailable": {'identity_service_ready{check="store",instance="a"}': "1x170 0x10"},
    "IdentityServiceStoreErrors": {
        'db_client_operation_duration_seconds_count{error_type="unavailable",instance="a"}': "0+1x180"
    },
    "IdentityServiceCertificateExpiring": {
        'identity_service_certificate_remaining_seconds{certificate="server"}': "750000x180"
    },
    "IdentityServiceFilesRefused": {'identity_service_files_refused{files="tls"}': "0x170 1x10"},
    "IdentityServiceAuditHeadsNotLogged": {"identity_service_audit_heads_age_seconds": "0+60x180"},
    "IdentityServiceFaults": {f'{RPCS}{{rpc_method="GetUser",rpc_response_status_code="INTERNAL"}}': "_x175 1x5"},
    "IdentityServiceAwsRefuses": {
        f'{MUTATIONS}{{action="ProvisionUser",outcome="AWS_ACCESS_DENIED",bulk="false"}}': "0+1x180"
    },
    "IdentityServiceAwsUnavailable": {f'{CALLS}{{error_type="UNAVAILABLE"}}': "0+100x180"},
    "IdentityServiceThrottled": {f'{CALLS}{{error_type="THROTTLED"}}': "0+100x180"},
    "IdentityServiceSlow": SLOW,
    "IdentityServiceAbandonedWork": {'identity_service_queue_age_seconds{queue="abandoned"}': "0+60x180"},
    "IdentityServiceSecondLooksLate": {'identity_service_queue_age_seconds{queue="second_look"}': "0+60x180"},
    "IdentityServiceBulkStalled": {
        f'{MUTATIONS}{{action="ProvisionUser",outcome="OK",bulk="true"}}': "0+60x150 9000x30"
    },
    "IdentityServiceLeasesLost": {'identity_service_leases_lost_total{instance="a"}': "0+1x180"},
    "IdentityServiceUndoIncomplete": {
        f'{MUTATIONS}{{action="ProvisionUser",outcome="UNDO_INCOMPLETE",bulk="false"}}': "_x175 1x5"
    },
    "IdentityServiceDenials": {
        f'{RPCS}{{error_type="NOT_OWNER",rpc_response_status_code="PERMISSION_DENIED"}}': "0+10x180"
    },
}
"""What is different where an alert has to fire."""


def case(firing: list[str], differences: Series) -> dict[str, object]:
    """Write a test of promtool's: after three hours, just these alerts fire."""
    series = [{"series": name, "values": values} for name, values in {**HEALTHY, **differences}.items()]
    samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in firing]
    expression = 'count by (alertname) (ALERTS{alertstate="firing"})'
    asked = [{"expr": expression, "eval_time": "3h", "exp_samples": samples}]
    return {"interval": "1m", "input_series": series, "promql_expr_test": asked}


def test_every_alert_has_a_case() -> None:
    """A new alert fails here until it was seen to fire."""
    assert list(WRONG) == [alert["alert"] for alert in alerts()]


@pytest.mark.parametrize("alert", ["", *WRONG], ids=lambda alert: alert or "healthy")
def test_just_the_right_alert_fires(alert: str, need: Need, tmp_path: Path) -> None:
    """A healthy server wakes up nobody, and each thing that is wrong fires its own alert and no other."""
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": rule_groups()}))
    cases = [case([alert] if alert else [], WRONG.get(alert, {}))]
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": cases}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(document, width=10_000))
    command = [need("promtool"), "test", "rules", str(tmp_path / "test.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
