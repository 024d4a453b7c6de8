"""Where users of an account sign in."""

HOSTS = {
    "aws": "signin.aws.amazon.com",
    "aws-us-gov": "signin.amazonaws-us-gov.com",
    "aws-cn": "signin.amazonaws.cn",
}
"""Sign-in hosts by partition. That of aws-cn is in common use; no document of AWS confirms it."""


def sign_in_url(partition: str, account_id: str, alias: str) -> str:
    """Build the sign-in URL of an account, by its alias if it has one."""
    return f"https://{alias or account_id}.{HOSTS.get(partition, HOSTS['aws'])}/console"
