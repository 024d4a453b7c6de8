"""Names and ARNs of IAM."""


def name_key(name: str) -> str:
    """Fold a user, group or policy name to the form in which IAM compares names: without letter case."""
    return name.lower()


def user_arn(partition: str, account_id: str, path: str, user_name: str) -> str:
    """Build a user's ARN, path included."""
    return f"arn:{partition}:iam::{account_id}:user{path}{user_name}"


def group_arn(partition: str, account_id: str, path: str, group_name: str) -> str:
    """Build a group's ARN, path included."""
    return f"arn:{partition}:iam::{account_id}:group{path}{group_name}"


def policy_arn(partition: str, account_id: str, path: str, policy_name: str) -> str:
    """Build the ARN of a managed policy of the account, path included."""
    return f"arn:{partition}:iam::{account_id}:policy{path}{policy_name}"


MFA_MARK = ":mfa/"
"""What stands in a virtual MFA device's serial number before its name."""


def mfa_device_arn(partition: str, account_id: str, device_name: str) -> str:
    """Build the ARN, which is the serial number, of a virtual MFA device."""
    return f"arn:{partition}:iam::{account_id}:mfa/{device_name}"


def aws_managed_policy_arn(partition: str, policy_name: str) -> str:
    """Build the ARN of a policy that AWS manages."""
    return f"arn:{partition}:iam::aws:policy/{policy_name}"


def is_arn(reference: str) -> bool:
    """Tell a policy's ARN from its name."""
    return reference.startswith("arn:")
