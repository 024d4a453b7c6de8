"""What a person is shown of one plan."""

import json
from io import StringIO

from rich.console import Console

from identity_client.cli.planning import Reviewed
from identity_client.cli.review import show_plan, summary_document
from identity_client.cli.wanted import WantedUser
from identity_provisioning.v1.plan_pb2 import Plan, PlanStep, PlanWarning, QuotaUse

PLAN = Plan(
    account_id="123456789012",
    unchanged_steps=[PlanStep(iam_action="iam:TagUser", description="set the tags team of ana")],
    warnings=[
        PlanWarning(message="moves along: tags", severity=PlanWarning.SEVERITY_INFORMATION),
        PlanWarning(message="can gain more rights", severity=PlanWarning.SEVERITY_WARNING),
        PlanWarning(message="an older server's"),
    ],
    quota_uses=[QuotaUse(quota_name="PolicySizeQuota", used_after=9, limit=6144, subject="Reading")],
)


def shown(plan: Plan) -> str:
    """Show a plan on a wide terminal."""
    text = StringIO()
    show_plan(Console(file=text, width=200, color_system=None), "ana", plan)
    return text.getvalue()


def test_a_plan_without_steps_says_what_is_so_already() -> None:
    """Who asks for what is there sees that it was understood."""
    assert "was so already: set the tags team of ana" in shown(PLAN)


def test_what_is_good_to_know_is_no_warning() -> None:
    """A note is told apart from what has to be thought about, and is not counted with it."""
    text = shown(PLAN)
    assert "note: moves along: tags" in text
    assert "warning: can gain more rights" in text
    assert "warning: an older server's" in text
    reviewed = [Reviewed(WantedUser("ana"), PLAN)]
    assert summary_document(reviewed)["warnings"] == 2


def test_a_quota_says_what_it_is_counted_for() -> None:
    """Of two new policies, each has its line."""
    assert "PolicySizeQuota of Reading 0 → 9 of 6144" in shown(PLAN)


def with_document(document: str) -> Plan:
    """Answer a plan that puts an inline policy."""
    step = PlanStep(iam_action="iam:PutUserPolicy", description="put deploy", round=1)
    step.details["document"] = document
    return Plan(account_id="123456789012", steps=[step])


def test_a_long_document_is_laid_out() -> None:
    """Who signs it off reads statement by statement; a short one stays in its line."""
    document = {"Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "x" * 100}]}
    text = shown(with_document(json.dumps(document)))
    assert '\n          "Action": [\n' in text
    assert json.loads(text[text.index("document = ") + len("document = ") :]) == document
    assert 'document = {"Statement": []}\n' in shown(with_document('{"Statement": []}'))


def test_a_document_that_would_say_less_when_laid_out_is_shown_as_it_is() -> None:
    """A key that is there twice, or what is no JSON at all, is seen word for word."""
    padding = "x" * 120
    for document in (f'{{"Effect": "Allow", "Effect": "Deny", "Sid": "{padding}"}}', f"{{{padding}"):
        assert f"document = {document}\n" in shown(with_document(document))
