"""Where users of an account sign in.

Sources: AWS, "IAM User Guide", "How IAM users sign in to AWS" (https://ACCOUNT.signin.aws.amazon.com/console, with the
account's id or alias); "AWS GovCloud (US) User Guide", "AWS Identity and Access Management in AWS GovCloud (US)", which
links the console's sign-in at https://signin.amazonaws-us-gov.com; the China edition of the "IAM User Guide",
docs.amazonaws.cn/en_us/IAM/latest/UserGuide/id_roles_providers_create_saml_relying-party.html, which has the sign-in
service at https://signin.amazonaws.cn. The endpoint rules of the service `signin` in botocore name the same three.
That edition's page on users' sign-in writes `signin.www.amazonaws.cn`, where a replaced domain name stands in the
middle of the English text's host; no SDK and no other page has that.
"""

HOSTS = {
    "aws": "signin.aws.amazon.com",
    "aws-us-gov": "signin.amazonaws-us-gov.com",
    "aws-cn": "signin.amazonaws.cn",
}
"""Sign-in hosts by partition."""


def sign_in_url(partition: str, account_id: str, alias: str) -> str:
    """Build the sign-in URL of an account, by its alias if it has one."""
    return f"https://{alias or account_id}.{HOSTS.get(partition, HOSTS['aws'])}/console"
