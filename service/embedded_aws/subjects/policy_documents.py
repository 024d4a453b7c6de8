"""Policy documents: what is malformed. moto's reader finds the faults; sizes are the quotas' business."""

from __future__ import annotations

import json

from moto.iam.exceptions import MalformedPolicyDocument
from moto.iam.policy_validation import BaseIAMPolicyValidator, IAMPolicyDocumentValidator

from embedded_aws.account import Account
from embedded_aws.errors import AwsError
from embedded_aws.policy_conditions import is_operator
from embedded_aws.policy_evaluation import as_list, statements_of
from embedded_aws.query_protocol import Call
from embedded_aws.rulebook import rule

_IDENTITY_DOCUMENTS = ("CreatePolicy", "CreatePolicyVersion", "PutUserPolicy", "PutGroupPolicy", "PutRolePolicy")


@rule(*_IDENTITY_DOCUMENTS)
def document_is_well_formed(account: Account, call: Call) -> None:
    """Wherever a document is put, it has to be one."""
    check_document(call.params["PolicyDocument"])


@rule("CreateRole", "UpdateAssumeRolePolicy")
def trust_policy_is_well_formed(account: Account, call: Call) -> None:
    """A trust policy is a document, too; it names principals and no resources."""
    text = call.params.get("AssumeRolePolicyDocument") or call.params.get("PolicyDocument", "")
    try:
        BaseIAMPolicyValidator(text).validate()
    except MalformedPolicyDocument as error:
        raise AwsError("MalformedPolicyDocument", str(error.message)) from error
    for statement in statements_of(json.loads(text)):
        if "Resource" in statement or "NotResource" in statement:
            raise AwsError("MalformedPolicyDocument", "Has prohibited field Resource.")
        if not all(action.lower().startswith("sts:") for action in as_list(statement.get("Action", []))):
            raise AwsError("MalformedPolicyDocument", "AssumeRole policy may only specify STS AssumeRole actions.")


def check_document(text: str) -> None:
    """An identity's document: JSON, of a version, with statements whose actions and resources IAM can read.

    Whom it concerns is who has it, so it names no principal; and its conditions use operators that there are.
    """
    try:
        IAMPolicyDocumentValidator(text).validate()
    except MalformedPolicyDocument as error:
        raise AwsError("MalformedPolicyDocument", str(error.message)) from error
    for statement in statements_of(json.loads(text)):
        if "Principal" in statement or "NotPrincipal" in statement:
            raise AwsError("MalformedPolicyDocument", "Policy document should not specify a principal.")
        for operator in statement.get("Condition", {}):
            if not is_operator(operator):
                raise AwsError("MalformedPolicyDocument", f"Invalid Condition type : {operator}.")
