"""An account with somebody to attack, and the service's role in the hands of an attacker."""

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any

import boto3
from botocore.config import Config

from embedded_aws import EmbeddedAws, RoleKey
from identity_service.iam_policy import PolicyOptions, policy_documents

ACCOUNT = "123456789012"
PREFIX = f"arn:aws:iam::{ACCOUNT}:"
BOUNDARY = f"{PREFIX}policy/Boundary"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
OWNER = "identity-provisioning:owner"
OURS = [{"Key": OWNER, "Value": "payments"}, {"Key": "identity-provisioning:row", "Value": "0" * 32}]
EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": f"{PREFIX}root"}, "Action": "sts:AssumeRole"}],
    }
)
OPTIONS = PolicyOptions(
    ACCOUNT,
    path="/people/",
    boundaries=(BOUNDARY,),
    allowed_policies=(f"{PREFIX}policy/Deploy",),
    allowed_groups=("Developers",),
)

Policy = Mapping[str, Any]


def role_policy() -> list[Policy]:
    """Return the policy of a role that is held to a path, a boundary, a policy and a group."""
    return list(policy_documents(OPTIONS))


def loosened(policies: Sequence[Policy], sid: str) -> list[Policy]:
    """Return the policy with one guard gone: a denying statement is left out, an allowing one allows everywhere."""
    changed = copy.deepcopy(list(policies))
    for policy in changed:
        for statement in list(policy["Statement"]):
            if statement["Sid"] != sid:
                continue
            if statement["Effect"] == "Deny":
                policy["Statement"].remove(statement)
            else:
                statement["Resource"] = "*"
                statement.pop("Condition", None)
    return changed


def is_denying(policies: Sequence[Policy], sid: str) -> bool:
    """Tell whether a statement denies."""
    return any(
        statement["Sid"] == sid and statement["Effect"] == "Deny"
        for policy in policies
        for statement in policy["Statement"]
    )


class World:
    """The account: `boss`, an administrator outside; `chief`, one on our path; `ana`, ours and bounded.

    `bare` is ours by its tags and has no boundary, and `theirs` is another team's. `Administrators` is a group that is
    not allowed, and `Quarantine` one that denies.
    """

    def __init__(self, aws: EmbeddedAws) -> None:
        self.aws = aws
        self.admin = self._client()
        self.key: RoleKey = aws.keep_role("identity-service", [])
        self.iam = self._client(self.key)

    def _client(self, key: RoleKey | None = None) -> Any:
        return boto3.client(
            "iam",
            endpoint_url=self.aws.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=key.access_key_id if key else self.aws.access_key_id,
            aws_secret_access_key=key.secret_access_key if key else self.aws.secret_access_key,
            aws_session_token=key.session_token if key else None,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def prepare(self) -> None:
        """Empty the account and put everybody there."""
        self.aws.reset()
        admin = self.admin
        for name in ("Boundary", "Deploy", "Shared"):
            admin.create_policy(PolicyName=name, PolicyDocument=EVERYTHING)
        admin.create_policy(PolicyName="OwnedBoundary", PolicyDocument=EVERYTHING, Tags=OURS)
        for group in ("Developers", "Administrators", "Quarantine"):
            admin.create_group(GroupName=group)
        admin.attach_group_policy(GroupName="Administrators", PolicyArn=ADMINISTRATOR)
        admin.put_group_policy(GroupName="Quarantine", PolicyName="deny", PolicyDocument=EVERYTHING)
        admin.create_user(UserName="boss")
        admin.create_user(UserName="chief", Path="/people/")
        admin.create_user(UserName="ana", Path="/people/", PermissionsBoundary=BOUNDARY, Tags=OURS)
        admin.create_user(UserName="bare", Path="/people/", Tags=OURS)
        admin.create_user(UserName="theirs", Path="/people/", Tags=[{"Key": OWNER, "Value": "others"}])
        for name in ("boss", "chief"):
            admin.attach_user_policy(UserName=name, PolicyArn=ADMINISTRATOR)
            admin.put_user_policy(UserName=name, PolicyName="deny", PolicyDocument=EVERYTHING)
            admin.create_login_profile(UserName=name, Password="Correct-Horse-1")
        for name in ("boss", "ana"):
            admin.add_user_to_group(UserName=name, GroupName="Quarantine")
        admin.create_role(RoleName="deployer", AssumeRolePolicyDocument=TRUST)
        admin.create_instance_profile(InstanceProfileName="machine")

    def allow(self, policies: Sequence[Policy]) -> None:
        """Give the role these policies."""
        self.aws.keep_role("identity-service", [json.dumps(policy) for policy in policies])
