"""A user that the person wants, from flags or from a file, and how to ask the service for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from google.protobuf.message import Message

from identity_client import ConsolePassword, IdentityClient, user_spec
from identity_client._specs import SelfManagementLevel
from identity_provisioning.v1.permission_pb2 import NewGroup, NewPolicy
from identity_provisioning.v1.user_pb2 import UserSpec
from identity_provisioning.v1.user_service_pb2 import ProvisionUserResponse


@dataclass(frozen=True)
class WantedUser:
    """Everything about one user to be made.

    Attributes:
        places: file and line of the values by their names in the users file; empty where there is no file.
    """

    name: str
    email: str = ""
    path: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    access_key: bool = False
    console: ConsolePassword | None = None
    groups: Sequence[str] = ()
    policies: Sequence[str] = ()
    inline_policies: Mapping[str, str] = field(default_factory=dict)
    boundary: str = ""
    copy_from: str = ""
    self_management: SelfManagementLevel = ""
    mfa_device: bool | str = False
    new_groups: Sequence[NewGroup] = ()
    new_policies: Sequence[NewPolicy] = ()
    new_boundary: NewPolicy | None = None
    recipients: Sequence[str] = ()
    places: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def wants_credentials(self) -> bool:
        """Tell whether the user is to have credentials that are handed out."""
        return self.fits_csv or bool(self.mfa_device)

    @property
    def fits_csv(self) -> bool:
        """Tell whether the credentials file, which has no column for an MFA device, has anything to say of the user."""
        return self.access_key or self.console is not None

    @property
    def awaits_secrets(self) -> bool:
        """Tell whether the answer is the only place to have a secret from; a password that was given is none."""
        return self.awaits_generated or bool(self.mfa_device)

    @property
    def awaits_generated(self) -> bool:
        """Tell whether there will be an access key or a generated password, which the credentials file takes."""
        return self.access_key or (self.console is not None and not self.console.custom)


def ask_for(
    client: IdentityClient,
    user: WantedUser,
    *,
    validate_only: bool = False,
    plan_digest: str = "",
    request_id: str | None = None,
    reissue_secrets: bool | None = None,
) -> ProvisionUserResponse:
    """Ask the service for the user, or for its plan."""
    return client.provision_user(
        user.name,
        path=user.path,
        tags=user.tags,
        access_key=user.access_key,
        console_password=user.console or False,
        groups=user.groups,
        policies=user.policies,
        inline_policies=user.inline_policies,
        boundary=user.boundary,
        copy_from=user.copy_from,
        self_management=user.self_management,
        mfa_device=user.mfa_device,
        new_groups=user.new_groups,
        new_policies=user.new_policies,
        new_boundary=user.new_boundary,
        recipients=user.recipients,
        validate_only=validate_only,
        expected_plan_digest=plan_digest,
        request_id=request_id,
        reissue_secrets=reissue_secrets,
    )


def spec_of(user: WantedUser) -> UserSpec:
    """Describe the user for an operation, which has the recipients of all its users."""
    return user_spec(
        user.name,
        path=user.path,
        tags=user.tags,
        access_key=user.access_key,
        console_password=user.console or False,
        groups=user.groups,
        policies=user.policies,
        inline_policies=user.inline_policies,
        boundary=user.boundary,
        copy_from=user.copy_from,
        self_management=user.self_management,
        mfa_device=user.mfa_device,
        new_groups=user.new_groups,
        new_policies=user.new_policies,
        new_boundary=user.new_boundary,
    )


def digest_of(users: Sequence[WantedUser], target: str, account: str) -> str:
    """Identify what is asked for and where; a password is left out, since its hash could be guessed."""
    asked = [
        {
            "name": user.name,
            "path": user.path,
            "tags": dict(user.tags),
            "access_key": user.access_key,
            "console": None if user.console is None else user.console.require_reset,
            "groups": list(user.groups),
            "policies": list(user.policies),
            "inline_policies": dict(user.inline_policies),
            "boundary": user.boundary,
            "copy_from": user.copy_from,
            "self_management": user.self_management,
            "mfa_device": user.mfa_device,
            "new_groups": [_words(group) for group in user.new_groups],
            "new_policies": [_words(policy) for policy in user.new_policies],
            "new_boundary": None if user.new_boundary is None else _words(user.new_boundary),
            "recipients": list(user.recipients),
        }
        for user in users
    ]
    whole = json.dumps([target, account, asked], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()


def _words(message: Message) -> str:
    return message.SerializeToString(deterministic=True).hex()
