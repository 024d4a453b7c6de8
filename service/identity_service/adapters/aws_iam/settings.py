"""What the adapter has to be told: which accounts, how to reach them, and how patient to be."""

from dataclasses import dataclass

from identity_service.domain.secret import Secret


class AwsSettingsError(ValueError):
    """Settings that contradict each other or that boto3 refuses.

    `setting` is the field of `AwsAccountSettings`, or in capitals the variable of boto3's own; `account_id` the account
    that it is about, if it is about one. The text is for the operator.
    """

    account_id = ""

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(problem)
        self.setting = setting


@dataclass(frozen=True)
class ExplicitCredentials:
    """A key of an account. Without one, boto3 looks where it always looks: environment, files, the machine's role."""

    access_key_id: str
    secret_access_key: Secret


@dataclass(frozen=True)
class AwsAccountSettings:
    """One account and the way to it.

    An empty `partition` follows from the region, an empty `region` from the partition, both empty mean `aws`.
    `endpoint_url` is for an account that is not at AWS. With `role_arn`, the credentials only assume that role, and say
    the `external_id` that its trust policy may ask for. `calls_per_second` is for this account instead of for all.
    """

    account_id: str
    partition: str = ""
    region: str = ""
    endpoint_url: str | None = None
    role_arn: str | None = None
    credentials: ExplicitCredentials | None = None
    external_id: str | None = None
    calls_per_second: float | None = None


@dataclass(frozen=True)
class AwsSettings:
    """The accounts, and what holds for all of them; times in seconds.

    Connect and read timeout together have to stay within a third of a ledger row's lease. `retry_budget` bounds the
    waiting of one call in all; in bulk, standing in line does not count. `threads` calls to each account are under way
    at most. `calls_per_second` bounds the calls to each account from the start; without it, AWS's refusals alone do.
    For `new_entity_window` after a user, group, policy or MFA device was made, a write that does not find it is tried
    again, because IAM is eventually consistent.
    """

    accounts: tuple[AwsAccountSettings, ...]
    threads: int = 32
    connect_timeout: float = 3.0
    read_timeout: float = 7.0
    retry_budget: float = 20.0
    max_attempts: int = 12
    new_entity_window: float = 15.0
    calls_per_second: float | None = None
