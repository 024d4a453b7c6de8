"""Policy documents: what is malformed. moto's reader finds the faults; sizes are the quotas' business."""

from __future__ import annotations

from moto.iam.exceptions import MalformedPolicyDocument
from moto.iam.policy_validation import IAMPolicyDocumentValidator

from embedded_aws.account import Account
from embedded_aws.errors import AwsError
from embedded_aws.query_protocol import Call
from embedded_aws.rulebook import rule


@rule("CreatePolicy", "CreatePolicyVersion", "PutUserPolicy", "PutGroupPolicy", "PutRolePolicy")
def document_is_well_formed(account: Account, call: Call) -> None:
    """The document is JSON, of a version, with statements whose actions and resources IAM can read."""
    try:
        IAMPolicyDocumentValidator(call.params["PolicyDocument"]).validate()
    except MalformedPolicyDocument as error:
        raise AwsError("MalformedPolicyDocument", str(error.message)) from error
