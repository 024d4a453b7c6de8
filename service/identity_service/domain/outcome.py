"""What came of a mutation."""

from dataclasses import dataclass, replace
from datetime import datetime

from identity_service.domain.entities import AccessKeyRecord, GroupDetails, MfaDeviceRecord, PolicyDetails, UserRecord
from identity_service.domain.secret import Secret


@dataclass(frozen=True)
class ExecutedStep:
    """One IAM call that was made, in words and with AWS's id of it; `unchanged` tells that there was nothing to do.

    Without a call, since the account was so already, there is no request id and no time.
    """

    iam_action: str
    resource: str
    aws_request_id: str
    completed_at: datetime | None
    unchanged: bool = False
    description: str = ""


@dataclass(frozen=True)
class IssuedAccessKey:
    """A new access key; the secret is None once it was answered."""

    access_key_id: str
    created_at: datetime
    secret: Secret | None = None


@dataclass(frozen=True)
class IssuedPassword:
    """A new console password; None once it was answered, or if the caller chose it."""

    reset_required: bool
    generated: bool
    password: Secret | None = None


@dataclass(frozen=True)
class IssuedMfaDevice:
    """A new virtual MFA device; seed (base32) and QR code (a PNG, base64) are None once they were answered."""

    serial_number: str
    seed: Secret | None = None
    qr_code_png: Secret | None = None


@dataclass(frozen=True)
class IssuedCredentials:
    """The credentials that a request made.

    `secrets_withheld` tells that an earlier answer held the secrets; where no credential is named beside it, all were
    revoked, since issuing the secrets again has failed. `sealed_secrets` is age text of all of them, which
    is no secret itself: with it nothing is withheld, and the other fields hold none.
    """

    access_key: IssuedAccessKey | None = None
    password: IssuedPassword | None = None
    mfa_device: IssuedMfaDevice | None = None
    secrets_withheld: bool = False
    sealed_secrets: str = ""

    @property
    def has_secrets(self) -> bool:
        """Whether there is a secret to be handed out; a password that the caller chose is none."""
        key, password, device = self.access_key, self.password, self.mfa_device
        return bool(
            (key and key.secret) or (password and password.password) or (device and (device.seed or device.qr_code_png))
        )

    def without_secrets(self) -> "IssuedCredentials":
        """Return the same credentials with every secret taken out, but those that are sealed."""
        made_secrets = bool(self.access_key or self.mfa_device or (self.password and self.password.generated))
        return IssuedCredentials(
            access_key=replace(self.access_key, secret=None) if self.access_key else None,
            password=replace(self.password, password=None) if self.password else None,
            mfa_device=replace(self.mfa_device, seed=None, qr_code_png=None) if self.mfa_device else None,
            secrets_withheld=(made_secrets or self.secrets_withheld) and not self.sealed_secrets,
            sealed_secrets=self.sealed_secrets,
        )

    def sealed(self, sealed_secrets: str) -> "IssuedCredentials":
        """Return the same credentials with their secrets as age text alone."""
        return replace(self, sealed_secrets=sealed_secrets).without_secrets()


@dataclass(frozen=True)
class Outcome:
    """What a mutation answers: what it is about as IAM has it, the credentials, where to sign in, the calls made.

    `access_keys` are those that still work after console access has ended.
    """

    user: UserRecord | None = None
    group: GroupDetails | None = None
    policy: PolicyDetails | None = None
    mfa_device: MfaDeviceRecord | None = None
    access_keys: tuple[AccessKeyRecord, ...] = ()
    credentials: IssuedCredentials | None = None
    sign_in_url: str = ""
    steps: tuple[ExecutedStep, ...] = ()
    replayed: bool = False

    def without_secrets(self) -> "Outcome":
        """Return the outcome as it may be stored."""
        return replace(self, credentials=self.credentials.without_secrets() if self.credentials else None)

    def sealed(self, sealed_secrets: str) -> "Outcome":
        """Return the outcome with its secrets as age text alone."""
        return replace(self, credentials=self.credentials.sealed(sealed_secrets) if self.credentials else None)

    def replay(self) -> "Outcome":
        """Return the outcome as a later call with the same request_id gets it."""
        return replace(self.without_secrets(), replayed=True)
