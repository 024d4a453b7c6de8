"""Finding a policy of AWS by its name with few calls."""

from collections import Counter
from typing import Any

from embedded_aws import EmbeddedAws
from identity_service.adapters.aws_iam.account import BotoIamAccount


def counted(aws: EmbeddedAws) -> Counter[str]:
    """Count the calls by operation, and forget them."""
    calls = Counter(call.operation for call in aws.calls())
    aws.clear_calls()
    return calls


async def test_common_policy_takes_one_call(iam: BotoIamAccount, aws: EmbeddedAws) -> None:
    """The policy that nearly every request needs is found without a listing."""
    assert await iam.find_aws_policy("IAMUserChangePassword") is not None
    assert counted(aws) == {"GetPolicy": 1}


async def test_listing_is_kept_for_an_hour(iam: BotoIamAccount, aws: EmbeddedAws, time: Any) -> None:
    """A policy on an uncommon path costs a listing once; then one call, in any letter case; after an hour again."""
    assert await iam.find_aws_policy("IAMAuditRootUserCredentials") is not None
    assert counted(aws)["ListPolicies"] > 1
    assert await iam.find_aws_policy("iamauditrootusercredentials") is not None
    assert counted(aws) == {"GetPolicy": 1}
    time.now += 3600.0
    assert await iam.find_aws_policy("IAMAuditRootUserCredentials") is not None
    assert counted(aws)["ListPolicies"] > 1


async def test_missing_policy_does_not_list_again(iam: BotoIamAccount, aws: EmbeddedAws) -> None:
    """A name that AWS does not have costs a listing once."""
    assert await iam.find_aws_policy("NoSuchPolicyAtAws") is None
    counted(aws)
    assert await iam.find_aws_policy("NoSuchPolicyAtAws") is None
    assert counted(aws)["ListPolicies"] == 0
