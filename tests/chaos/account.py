"""The AWS account in a process of its own: what it holds before a run, how it misbehaves, what it holds afterwards."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from embedded_aws import (
    AnswerError,
    AnswerHtml,
    CloseConnection,
    Delay,
    DropParameter,
    Effect,
    EmbeddedAws,
    Fault,
    FreshPassword,
    Hang,
    Hold,
    KeyNotReady,
    KeyOutlivesDeletion,
    LoseReply,
    NotFoundYet,
    StaleRead,
    Throttle,
    throttled,
)
from tests.chaos.timing import Timing
from tests.chaos.wishes import BOUNDARY, DOCUMENT, GROUPS, POLICIES, TEAM, THERE_BEFORE, Kind, Wish, policy_arn

PASSWORD = "Correct-Horse-7"
"""Of users that are there before."""


@dataclass
class Prepared:
    """What the harness has made itself: the access keys of users that are there before, which must stay."""

    foreign_keys: dict[str, frozenset[str]] = field(default_factory=dict)


class Account:
    """The account of one world."""

    def __init__(self, aws: EmbeddedAws, timing: Timing) -> None:
        self.aws = aws
        self._timing = timing
        self.iam = self._client("iam", aws.access_key_id, aws.secret_access_key)

    def prepare(self, wishes: Iterable[Wish]) -> Prepared:
        """Empty the account, and make groups, policies and the users that the wishes are about."""
        self.aws.reset()
        self.aws.set_signature_validity(self._timing.signature_validity)
        self.iam.create_account_alias(AccountAlias="acme")
        for name in (*POLICIES, BOUNDARY):
            self.iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(DOCUMENT))
        for name in GROUPS:
            self.iam.create_group(GroupName=name)
            self.iam.attach_group_policy(GroupName=name, PolicyArn=policy_arn(POLICIES[0]))
        prepared = Prepared()
        for wish in wishes:
            if wish.kind in THERE_BEFORE:
                prepared.foreign_keys[wish.user_name] = self._make_user(wish)
        return prepared

    def _make_user(self, wish: Wish) -> frozenset[str]:
        name = wish.user_name
        owner = {"Key": "identity-provisioning:owner", "Value": TEAM}
        self.iam.create_user(UserName=name, Tags=[owner])
        if wish.kind in (Kind.REVOCATION, Kind.DELETION, Kind.GRANT_AGAIN):
            for group in GROUPS:
                self.iam.add_user_to_group(UserName=name, GroupName=group)
            for policy in POLICIES:
                self.iam.attach_user_policy(UserName=name, PolicyArn=policy_arn(policy))
        if wish.kind is Kind.DELETION:
            self.iam.create_login_profile(UserName=name, Password=PASSWORD)
            self.iam.put_user_policy(UserName=name, PolicyName="read", PolicyDocument=json.dumps(DOCUMENT))
        if wish.kind in (Kind.DELETION, Kind.CREDENTIALS):
            return frozenset({self.make_key(name)})
        return frozenset()

    def make_key(self, user_name: str) -> str:
        """Make an access key behind the service's back."""
        return str(self.iam.create_access_key(UserName=user_name)["AccessKey"]["AccessKeyId"])

    def misbehave(self, chance: Random, wishes: Iterable[Wish]) -> None:
        """Switch every fault of the catalogue on, with chances drawn anew."""
        for operation, effect, probability in catalogue(self._timing):
            self._plant(Fault(operation, effect, times=None, probability=probability, seed=chance.getrandbits(32)))
        self.lose_boundaries(wishes)

    def lose_boundaries(self, wishes: Iterable[Wish]) -> None:
        """Let IAM drop the boundary of those whom it shall happen to."""
        for wish in wishes:
            if wish.kind is Kind.UNBOUNDED:
                parameters = {"UserName": wish.user_name}
                self._plant(Fault("CreateUser", DropParameter("PermissionsBoundary"), parameters, times=None))

    def delay(self, operation: str, user_name: str, seconds: float) -> None:
        """Let one call about a user arrive late, long after its sender has given up waiting."""
        self._plant(Fault(operation, Delay(seconds), {"UserName": user_name}, times=1))

    def release(self) -> None:
        """Let the calls go on that are held."""
        self.aws.release()

    def behave(self) -> None:
        """Switch the faults off. Calls that are held were sent by somebody: they are carried out, not dropped."""
        self.aws.release()
        self.aws.clear_faults()

    def key_works(self, access_key_id: str, secret_access_key: str, user_name: str) -> bool:
        """Tell whether an access key lets its holder in, as this user."""
        sts = self._client("sts", access_key_id, secret_access_key)
        try:
            arn = str(sts.get_caller_identity()["Arn"])
        except ClientError:
            return False
        finally:
            sts.close()
        return arn.endswith(f"/{user_name}")

    def users(self) -> Mapping[str, Mapping[str, Any]]:
        """Every user, by name."""
        return {user["name"]: user for user in self.aws.dump()["users"]}

    def _plant(self, fault: Fault) -> None:
        self.aws.inject(fault)

    def _client(self, service: Any, access_key_id: str, secret_access_key: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.aws.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=access_key_id,
            aws_secret_access_key=secret_access_key,
            config=Config(retries={"total_max_attempts": 1}, proxies={}),
        )


def catalogue(timing: Timing) -> list[tuple[str, Effect, float]]:
    """Return every effect that the embedded account knows, for which calls, and how often it strikes.

    IAM settles within the settle time, so eventual consistency ends before it; a call on its way may take any time.
    """
    late = timing.connect_timeout + timing.read_timeout + 0.3
    settled = timing.settle * 0.6
    return [
        ("*", Delay(0.1), 0.03),
        ("*", Delay(late), 0.01),
        ("Create*", Delay(timing.lease), 0.02),
        ("*", throttled(), 0.01),
        ("*", Throttle(rate=150, burst=100), 1.0),
        ("*", AnswerError("ServiceFailure", 500), 0.01),
        ("[!GL]*", AnswerError("ConcurrentModification", 409), 0.01),
        ("*", LoseReply(), 0.01),
        ("Create*", LoseReply(), 0.03),
        ("*", CloseConnection(do_it=True), 0.01),
        ("*", CloseConnection(do_it=False), 0.005),
        ("*", AnswerHtml(do_it=True), 0.005),
        ("*", AnswerHtml(do_it=False), 0.005),
        ("*", Hang(do_it=True), 0.005),
        ("*", Hang(do_it=False), 0.005),
        ("Create*", Hold(done=False), 0.02),
        ("Create*", Hold(done=True), 0.02),
        ("*", FreshPassword(settled), 1.0),
        ("*", NotFoundYet(settled / 2), 0.2),
        ("*", StaleRead(settled), 0.05),
        ("*", KeyNotReady(settled), 1.0),
        ("*", KeyOutlivesDeletion(settled), 1.0),
        # Harmless: pages of another length.
        ("List*", DropParameter("MaxItems"), 0.1),
    ]
