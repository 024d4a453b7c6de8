"""Tags of users: fifty at most, keys told apart without case, listed by key."""

from __future__ import annotations

from embedded_aws.account import Account
from embedded_aws.errors import AwsError, limit_exceeded, validation_error
from embedded_aws.query_protocol import Call
from embedded_aws.rulebook import Result, answers, rule

_TAGGED_AT_CREATION = ("CreateUser", "CreateRole", "CreatePolicy", "CreateVirtualMFADevice")
_RESERVED_PREFIX = "aws:"


@rule(*_TAGGED_AT_CREATION, "TagMFADevice", "TagPolicy", "TagRole", "TagUser")
def tags_are_well_formed(account: Account, call: Call) -> None:
    """No more than fifty, no key twice, no key of AWS's own."""
    keys = [tag["Key"] for tag in call.params.get("Tags", [])]
    if len(keys) > account.quotas["TagsPerEntityQuota"]:
        raise validation_error(
            "Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50"
        )
    if len({key.casefold() for key in keys}) < len(keys):
        raise AwsError("InvalidInput", "Duplicate tag keys found; tag keys are told apart without case.")
    if any(key.casefold().startswith(_RESERVED_PREFIX) for key in keys):
        raise AwsError("InvalidInput", "System tags cannot be added/updated by requester.")


@rule("TagUser")
def user_has_room_for_tags(account: Account, call: Call) -> None:
    """The tags that a user has and the new ones together stay within the quota."""
    held = {tag["Key"].casefold() for tag in account.tags_of(account.user(call.params["UserName"]))}
    limit = account.quotas["TagsPerEntityQuota"]
    if len(held | {tag["Key"].casefold() for tag in call.params["Tags"]}) > limit:
        raise limit_exceeded("TagsPerUser", limit)


@answers("TagUser")
def tag_user(account: Account, call: Call) -> None:
    """A key that is there in another case is replaced, spelling included."""
    put_tags(account, account.user(call.params["UserName"]).arn, call.params["Tags"])


@answers("UntagUser")
def untag_user(account: Account, call: Call) -> None:
    """Remove by key; a key that is not there is no error."""
    remove_tags(account, account.user(call.params["UserName"]).arn, call.params["TagKeys"])


@answers("ListUserTags")
def list_user_tags(account: Account, call: Call) -> Result:
    """A user's tags by key."""
    return {"Tags": account.tags_of(account.user(call.params["UserName"]))}


def put_tags(account: Account, arn: str, tags: list[dict[str, str]]) -> None:
    """Set tags; a key that is there in another case is replaced, spelling included."""
    remove_tags(account, arn, [tag["Key"] for tag in tags])
    account.iam.tagger.tag_resource(arn, [{"Key": t["Key"], "Value": t.get("Value", "")} for t in tags])


def remove_tags(account: Account, arn: str, keys: list[str]) -> None:
    """Remove by key, whatever its case; a key that is not there is no error."""
    folded = {key.casefold() for key in keys}
    held = [tag["Key"] for tag in account.tags_on(arn) if tag["Key"].casefold() in folded]
    account.iam.tagger.untag_resource_using_names(arn, held)
