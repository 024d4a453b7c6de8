"""What the error says of a call that IAM has refused."""

import pytest

from identity_service.application.failures import explain
from identity_service.domain.errors import IamError, IamErrorKind, Reason
from identity_service.domain.steps import CreatePolicy, PutUserPolicy, Step

ACCOUNT = "arn:aws:iam::123456789012:"
PUT = PutUserPolicy(user_name="ana", user_arn=f"{ACCOUNT}user/ana", round=1, policy_name="reading", document="{}")
MAKE = CreatePolicy(
    policy_arn=f"{ACCOUNT}policy/Writing", round=1, policy_name="Writing", path="/", text="", document="{}"
)


@pytest.mark.parametrize(("step", "name"), [(PUT, "reading"), (MAKE, "Writing")])
def test_a_malformed_document_is_named(step: Step, name: str) -> None:
    """Of many documents in one request, the person hears which one IAM does not take."""
    refusal = IamError(IamErrorKind.MALFORMED_DOCUMENT, step.iam_action, "MalformedPolicyDocument", 400, "aws-1")
    error = explain(refusal, step)
    assert error.reason is Reason.MALFORMED_POLICY_DOCUMENT
    assert f"the document of policy {name} " in error.message
