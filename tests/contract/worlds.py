"""The accounts that the contract suite runs on, and one way to arrange them all."""

import base64
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from embedded_aws import DropParameter, EmbeddedAws, Fault, consecutive_codes
from identity_service.application.ports import IamAccount
from identity_service.domain.passwords import PasswordPolicy
from identity_service.domain.secret import Secret
from tests.contract.fake_iam import ALLOW_NOTHING, FakeIam

_TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},'
    '"Action":"sts:AssumeRole"}]}'
)


class World(Protocol):
    """An account, and what a test may put there that `IamAccount` has no call for."""

    iam: IamAccount

    def add_group(self, group_name: str, *, path: str = "/", grants_nothing: bool = False) -> None:
        """Put a group there, with an inline policy `some` unless it grants nothing."""

    def add_group_policy(self, group_name: str, policy_name: str, document: str) -> None:
        """Put an inline policy on a group."""

    def add_policy(self, policy_name: str, *, path: str = "/", document: str = ALLOW_NOTHING) -> str:
        """Put a policy of the account there; returns its ARN."""

    def add_aws_policy(self, policy_name: str, *, path: str = "/") -> str:
        """Make sure that a policy of AWS is there; returns its ARN."""

    def add_policy_version(self, policy_arn: str) -> str:
        """Add a version that is not the default one; returns its id."""

    def add_role(self, role_name: str, *, attached: tuple[str, ...] = (), boundary_arn: str | None = None) -> None:
        """Put a role there, with managed policies and a boundary."""

    def add_mfa_device(self, user_name: str) -> str:
        """Enable a virtual MFA device; returns its serial number."""

    def codes(self, seed: Secret) -> tuple[Secret, Secret]:
        """Return two codes that enable the device of a seed."""

    def wrong_codes(self, seed: Secret) -> tuple[Secret, Secret]:
        """Return two codes that do not."""

    def add_signing_certificate(self, user_name: str) -> str:
        """Give a user a signing certificate; returns its id."""

    def add_ssh_public_key(self, user_name: str) -> str:
        """Give a user an SSH key; returns its id."""

    def add_service_specific_credential(self, user_name: str) -> str:
        """Give a user a service-specific credential; returns its id."""

    def set_alias(self, alias: str) -> None:
        """Give the account an alias."""

    def set_password_policy(self, policy: PasswordPolicy) -> None:
        """Set the account's password policy."""

    def set_quota(self, name: str, value: int) -> None:
        """Change a quota."""

    def drop_boundary(self) -> None:
        """Let the next CreateUser lose the boundary."""


class FakeWorld:
    """The fake account; it arranges itself."""

    def __init__(self) -> None:
        self._fake = FakeIam()
        self.iam: IamAccount = self._fake

    def add_group(self, group_name: str, *, path: str = "/", grants_nothing: bool = False) -> None:
        """Put a group there."""
        self._fake.add_group(group_name, path=path, grants_nothing=grants_nothing)

    def add_group_policy(self, group_name: str, policy_name: str, document: str) -> None:
        """Put an inline policy on a group."""
        self._fake.add_group_policy(group_name, policy_name, document)

    def add_policy(self, policy_name: str, *, path: str = "/", document: str = ALLOW_NOTHING) -> str:
        """Put a policy of the account there."""
        return self._fake.add_policy(policy_name, path=path, document=document).arn

    def add_aws_policy(self, policy_name: str, *, path: str = "/") -> str:
        """Put a policy of AWS there."""
        return self._fake.add_aws_policy(policy_name, path=path).arn

    def add_policy_version(self, policy_arn: str) -> str:
        """Add a version that is not the default one."""
        return self._fake.add_policy_version(policy_arn)

    def add_role(self, role_name: str, *, attached: tuple[str, ...] = (), boundary_arn: str | None = None) -> None:
        """Put a role there."""
        self._fake.add_role(role_name, attached=attached, boundary_arn=boundary_arn)

    def codes(self, seed: Secret) -> tuple[Secret, Secret]:
        """Return two codes; all are right but the wrong ones."""
        return Secret("123456"), Secret("654321")

    def wrong_codes(self, seed: Secret) -> tuple[Secret, Secret]:
        """Return the wrong ones."""
        first, second = self._fake.wrong_codes
        return Secret(first), Secret(second)

    def add_mfa_device(self, user_name: str) -> str:
        """Enable a virtual MFA device."""
        return self._fake.add_mfa_device(user_name)

    def add_signing_certificate(self, user_name: str) -> str:
        """Give a user a signing certificate."""
        return self._fake.add_signing_certificate(user_name)

    def add_ssh_public_key(self, user_name: str) -> str:
        """Give a user an SSH key."""
        return self._fake.add_ssh_public_key(user_name)

    def add_service_specific_credential(self, user_name: str) -> str:
        """Give a user a service-specific credential."""
        return self._fake.add_service_specific_credential(user_name)

    def set_alias(self, alias: str) -> None:
        """Give the account an alias."""
        self._fake.set_alias(alias)

    def set_password_policy(self, policy: PasswordPolicy) -> None:
        """Set the account's password policy."""
        self._fake.set_password_policy(policy)

    def set_quota(self, name: str, value: int) -> None:
        """Change a quota."""
        self._fake.quotas[name] = value

    def drop_boundary(self) -> None:
        """Let CreateUser lose the boundary."""
        self._fake.drop_boundary = True


class EmbeddedWorld:
    """The embedded account, arranged through a client of its own and tested through the real adapter."""

    def __init__(self, aws: EmbeddedAws, admin: Any, iam: IamAccount) -> None:
        self.iam = iam
        self._aws = aws
        self._admin = admin

    def add_group(self, group_name: str, *, path: str = "/", grants_nothing: bool = False) -> None:
        """Put a group there."""
        self._admin.create_group(GroupName=group_name, Path=path)
        if not grants_nothing:
            self._admin.put_group_policy(GroupName=group_name, PolicyName="some", PolicyDocument=ALLOW_NOTHING)

    def add_group_policy(self, group_name: str, policy_name: str, document: str) -> None:
        """Put an inline policy on a group."""
        self._admin.put_group_policy(GroupName=group_name, PolicyName=policy_name, PolicyDocument=document)

    def add_policy(self, policy_name: str, *, path: str = "/", document: str = ALLOW_NOTHING) -> str:
        """Put a policy of the account there."""
        answer = self._admin.create_policy(PolicyName=policy_name, Path=path, PolicyDocument=document)
        return str(answer["Policy"]["Arn"])

    def add_aws_policy(self, policy_name: str, *, path: str = "/") -> str:
        """Make sure that it is there: AWS's policies cannot be made."""
        arn = f"arn:aws:iam::aws:policy{path}{policy_name}"
        return str(self._admin.get_policy(PolicyArn=arn)["Policy"]["Arn"])

    def add_policy_version(self, policy_arn: str) -> str:
        """Add a version that is not the default one."""
        answer = self._admin.create_policy_version(PolicyArn=policy_arn, PolicyDocument=ALLOW_NOTHING)
        return str(answer["PolicyVersion"]["VersionId"])

    def add_role(self, role_name: str, *, attached: tuple[str, ...] = (), boundary_arn: str | None = None) -> None:
        """Put a role there."""
        boundary = {} if boundary_arn is None else {"PermissionsBoundary": boundary_arn}
        self._admin.create_role(RoleName=role_name, AssumeRolePolicyDocument=_TRUST, **boundary)
        for policy_arn in attached:
            self._admin.attach_role_policy(RoleName=role_name, PolicyArn=policy_arn)

    def codes(self, seed: Secret) -> tuple[Secret, Secret]:
        """Return the codes that a device would show."""
        first, second = consecutive_codes(seed.reveal())
        return Secret(first), Secret(second)

    def wrong_codes(self, seed: Secret) -> tuple[Secret, Secret]:
        """Return them in the wrong order."""
        first, second = self.codes(seed)
        return second, first

    def add_mfa_device(self, user_name: str) -> str:
        """Enable a virtual MFA device."""
        made = self._admin.create_virtual_mfa_device(VirtualMFADeviceName=f"{user_name}-phone")["VirtualMFADevice"]
        first, second = consecutive_codes(made["Base32StringSeed"])
        serial_number = str(made["SerialNumber"])
        self._admin.enable_mfa_device(
            UserName=user_name,
            SerialNumber=serial_number,
            AuthenticationCode1=first,
            AuthenticationCode2=second,
        )
        return serial_number

    def add_signing_certificate(self, user_name: str) -> str:
        """Give a user a signing certificate."""
        answer = self._admin.upload_signing_certificate(UserName=user_name, CertificateBody=_certificate())
        return str(answer["Certificate"]["CertificateId"])

    def add_ssh_public_key(self, user_name: str) -> str:
        """Give a user an SSH key."""
        body = base64.b64encode(b"\0\0\0\7ssh-rsa" + bytes(16)).decode()
        answer = self._admin.upload_ssh_public_key(UserName=user_name, SSHPublicKeyBody=f"ssh-rsa {body}")
        return str(answer["SSHPublicKey"]["SSHPublicKeyId"])

    def add_service_specific_credential(self, user_name: str) -> str:
        """Give a user a service-specific credential."""
        answer = self._admin.create_service_specific_credential(
            UserName=user_name, ServiceName="codecommit.amazonaws.com"
        )
        return str(answer["ServiceSpecificCredential"]["ServiceSpecificCredentialId"])

    def set_alias(self, alias: str) -> None:
        """Give the account an alias."""
        self._admin.create_account_alias(AccountAlias=alias)

    def set_password_policy(self, policy: PasswordPolicy) -> None:
        """Set the account's password policy."""
        optional = {"MaxPasswordAge": policy.maximum_age_days, "PasswordReusePrevention": policy.reuse_prevention}
        self._admin.update_account_password_policy(
            MinimumPasswordLength=policy.minimum_length,
            RequireLowercaseCharacters=policy.require_lowercase,
            RequireUppercaseCharacters=policy.require_uppercase,
            RequireNumbers=policy.require_numbers,
            RequireSymbols=policy.require_symbols,
            AllowUsersToChangePassword=policy.allow_users_to_change,
            HardExpiry=policy.hard_expiry,
            **{name: value for name, value in optional.items() if value},
        )

    def set_quota(self, name: str, value: int) -> None:
        """Change a quota."""
        self._aws.set_quota(name, value)

    def drop_boundary(self) -> None:
        """Let the next CreateUser lose the boundary."""
        self._aws.inject(Fault("CreateUser", DropParameter("PermissionsBoundary")))


WorldMaker = Callable[[], World]


def admin_client(aws: EmbeddedAws) -> Any:
    """Build a plain client of the embedded account, independent of the adapter and of the machine."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        session = boto3.session.Session(aws.access_key_id, aws.secret_access_key, region_name="us-east-1")
        return session.client("iam", endpoint_url=aws.endpoint_url)


def _certificate() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "contract")])
    today = datetime.now(UTC)
    certificate = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=today,
        not_valid_after=today + timedelta(days=1),
    ).sign(key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
