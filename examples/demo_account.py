"""The demo's AWS account, as a platform team has prepared it before the first user."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

Statements = Sequence[Mapping[str, object]]

PARTNER_UPLOADS: Statements = [
    {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::acme-partners/*"}
]
TEAM_BOUNDARY: Statements = [
    {"Effect": "Allow", "Action": ["s3:*", "cloudwatch:*", "logs:*", "athena:*", "glue:*"], "Resource": "*"},
    {"Effect": "Allow", "Action": ["iam:Get*", "iam:List*", "iam:ChangePassword"], "Resource": "*"},
]


def prepare_account(iam: Any) -> None:
    """Make groups, boundaries, a password policy and an alias, with an IAM client of the administrator."""
    iam.create_account_alias(AccountAlias="acme-demo")
    iam.update_account_password_policy(
        MinimumPasswordLength=14,
        RequireLowercaseCharacters=True,
        RequireUppercaseCharacters=True,
        RequireNumbers=True,
        RequireSymbols=True,
    )
    for name, statements in {"TeamBoundary": TEAM_BOUNDARY, "PartnerBoundary": PARTNER_UPLOADS}.items():
        iam.create_policy(PolicyName=name, PolicyDocument=document(statements))
    for name, policy in {"Developers": "PowerUserAccess", "Analysts": "AmazonAthenaFullAccess"}.items():
        iam.create_group(GroupName=name)
        iam.attach_group_policy(GroupName=name, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
    iam.create_group(GroupName="PartnerUploads")
    iam.put_group_policy(GroupName="PartnerUploads", PolicyName="upload", PolicyDocument=document(PARTNER_UPLOADS))


def document(statements: Statements) -> str:
    """Write a policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
