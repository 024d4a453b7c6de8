"""Requests of every kind, each with the account that it meets."""

from collections.abc import Callable
from dataclasses import dataclass

from identity_service.domain import tags
from identity_service.domain.outcome import Outcome
from identity_service.domain.request import (
    Body,
    ConsolePassword,
    Credentials,
    InlinePolicy,
    MfaDeviceEnabling,
    NewGroup,
    NewPolicy,
    NewUser,
    Permissions,
    UserChange,
    UserDeletion,
    UserUpdate,
    VirtualMfaDevice,
)
from identity_service.domain.secret import Secret
from tests.contract.fake_iam import ALLOW_NOTHING
from tests.unit.application.worlds import OWNED, RECIPIENT, World, key_of

ALL_CREDENTIALS = Credentials(
    access_key=True, console_password=ConsolePassword(require_reset=True), mfa_device=VirtualMfaDevice()
)
PROVISION = UserChange(
    "ana",
    new_user=NewUser("/people/", (("cost-center", "4711"),)),
    credentials=ALL_CREDENTIALS,
    permissions=Permissions(
        ("Developers",),
        ("Deploy",),
        (InlinePolicy("nothing", ALLOW_NOTHING),),
        "Boundary",
        new_groups=(NewGroup("Readers", "/", ("Deploy",)),),
        new_policies=(NewPolicy("Read", ALLOW_NOTHING),),
    ),
)
CUSTOM = UserChange(
    "ana",
    new_user=NewUser(),
    credentials=Credentials(access_key=True, console_password=ConsolePassword(Secret("Abcdefgh1!"))),
)
SERIAL = "arn:aws:iam::123456789012:mfa/ana"
Arrange = Callable[[World], None]


def nothing(_: World) -> None:
    """Put nobody there."""


def plain_user(world: World) -> None:
    """Put ana there, with a key of hers."""
    world.iam.add_user("ana", tags=OWNED)
    world.iam.add_access_key("ana")


def full_user(world: World) -> None:
    """Put ana there with one of everything."""
    plain_user(world)
    world.iam.add_membership("ana", "Developers")
    world.iam.add_attachment("ana", "arn:aws:iam::123456789012:policy/Deploy")
    world.iam.add_inline_policy("ana", "nothing")
    world.iam.add_login_profile("ana")
    world.iam.add_signing_certificate("ana")
    world.iam.add_mfa_device("ana", virtual=False)


def user_with_device(world: World) -> None:
    """Put ana there with a device that waits to be enabled."""
    plain_user(world)
    world.iam.add_virtual_mfa_device("ana", tags={**OWNED, tags.USER: "ana"})


@dataclass(frozen=True)
class Case:
    """A request, and the account that it meets."""

    body: Body
    arrange: Arrange = nothing
    recipients: tuple[str, ...] = ()

    def world(self) -> World:
        """Make the world that it meets."""
        world = World()
        self.arrange(world)
        return world


CASES = {
    "provision": Case(PROVISION),
    "provision-sealed": Case(PROVISION, recipients=(RECIPIENT,)),
    "credentials": Case(UserChange("ana", credentials=ALL_CREDENTIALS), plain_user),
    "permissions": Case(UserChange("ana", permissions=PROVISION.permissions), plain_user),
    "delete": Case(UserDeletion("ana"), full_user),
    "rename": Case(UserUpdate("ana", "ana.lima", "/people/", (("team", "b"),)), full_user),
}
NEEDING_CALLER = {
    "custom-password": Case(CUSTOM),
    "enable-device": Case(MfaDeviceEnabling("ana", SERIAL, Secret("123456"), Secret("654321")), user_with_device),
}


async def wanted(case: Case) -> dict[str, object]:
    """Describe the account after the request, undisturbed."""
    world = case.world()
    await world.do(case.body, recipients=case.recipients)
    return world.iam.contents()


async def ask_again(world: World, case: Case, request_id: str) -> Outcome:
    """Let the caller come back, who never heard of its secrets."""
    process = world.start()
    return await world.do(
        case.body, process=process, request_id=request_id, recipients=case.recipients, reissue_secrets=True
    )


def has_row(world: World, request_id: str) -> bool:
    """Tell whether the ledger knows a request."""
    return key_of(request_id) in world.ledger.rows
