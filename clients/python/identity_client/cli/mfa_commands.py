"""`identityctl mfa`: virtual MFA devices of users."""

from __future__ import annotations

import re
import sys
from functools import partial
from typing import Annotated

import typer

from identity_client._credential_calls import MfaAssignment
from identity_client.cli.changes import Change, carry_out, report, review, review_and_carry_out
from identity_client.cli.examples import epilog
from identity_client.cli.failures import BadInputError, enable_command, get_command, message_document
from identity_client.cli.mfa_cleaning import delete_abandoned
from identity_client.cli.options import ShowSecrets, UserName, Yes
from identity_client.cli.qr_code import show_qr_code
from identity_client.cli.retrying import ReissueSecrets, RequestId, going_on
from identity_client.cli.review import show_line
from identity_client.cli.sealing import (
    IdentityFiles,
    Recipients,
    RecipientsFile,
    SealedOut,
    check_sealed_out,
    hand_out_sealed,
    read_sealing,
    refuse_what_needs_opening,
)
from identity_client.cli.session import Session
from identity_client.cli.tables import show_table
from identity_provisioning.v1.credential_pb2 import IssuedMfaDevice, VirtualMfaDevice

mfa = typer.Typer(no_args_is_help=True, help="Make, enable, list and delete MFA devices.")

_Serial = Annotated[
    str, typer.Argument(help="The device's serial number; an ARN for a virtual one.", show_default=False)
]
_CODE = re.compile(r"\d{6}")
_ANY_CODE = "000000"
_LOST = (
    "the answer, and with it the seed, is lost. Run the same command again: a device that was made and not enabled "
    "is replaced."
)


@mfa.command("create", epilog=epilog("mfa create ana", "mfa create ana --name ana-phone --output json --yes"))
def create_mfa_device(
    context: typer.Context,
    user: UserName,
    name: Annotated[str, typer.Option("--name", help="The device's name; the user's if not given.")] = "",
    show_secrets: ShowSecrets = False,
    request_id: RequestId = "",
    reissue_secrets: ReissueSecrets = False,
    yes: Yes = False,
    recipient: Recipients = None,
    recipients_file: RecipientsFile = None,
    sealed_out: SealedOut = None,
    identity: IdentityFiles = None,
) -> None:
    """Make a virtual MFA device, and show its QR code and seed once. It waits to be enabled."""
    session: Session = context.obj
    again = going_on(request_id, reissue_secrets=reissue_secrets)
    sealing = read_sealing(recipient, recipients_file, sealed_out, identity)
    refuse_what_needs_opening(sealing, {"--show-secrets": show_secrets})
    check_sealed_out(sealing)
    _require_outlet(session, shown=show_secrets or sealing.stays_closed)
    ask = partial(session.connect().create_mfa_device, user, device_name=name, recipients=sealing.recipients)
    question = f"Make an MFA device for {user}?"
    change = Change(user, question, ask, on_lost=_LOST, look=get_command(user), going_on=again)
    made = review_and_carry_out(session, change, yes=yes)
    complaint = sealing.open_answer(made.credentials, user)
    if session.as_json:
        session.write_json(message_document(made))
    else:
        _show_device(session, user, made.credentials.mfa_device, sealed=bool(made.credentials.sealed_secrets))
    hand_out_sealed(session, sealing, made.credentials, complaint)


@mfa.command(
    "enable",
    epilog=epilog(
        "mfa enable ana arn:aws:iam::123456789012:mfa/ana",
        "mfa enable ana arn:aws:iam::123456789012:mfa/ana 123456 654321",
    ),
)
def enable_mfa_device(
    context: typer.Context,
    user: UserName,
    serial: _Serial,
    code1: Annotated[str, typer.Argument(help="A code of the device; asked for if not given.")] = "",
    code2: Annotated[str, typer.Argument(help="The code that follows it; asked for if not given.")] = "",
    yes: Yes = False,
) -> None:
    """Enable an MFA device with two codes that follow one another. A wrong code leaves it pending."""
    session: Session = context.obj
    _check_codes(code1, code2)
    enable = session.connect().enable_mfa_device
    # Codes are short-lived, so they are asked for after the review; a plan checks none, and its digest holds none.
    planned = Change(user, f"Enable {serial} for {user}?", partial(enable, user, serial, _ANY_CODE, _ANY_CODE))
    plan_digest = review(session, planned, yes=yes)
    codes = (code1 or _asked("First code"), code2 or _asked("Second code"))
    change = Change(user, "", partial(enable, user, serial, *codes), forward_only=True, look=get_command(user))
    report(session, carry_out(session, change, plan_digest), f"{serial} is enabled for {user}.")


@mfa.command("list", epilog=epilog("mfa list --user ana", "mfa list --abandoned --output json"))
def list_mfa_devices(
    context: typer.Context,
    pending: Annotated[bool, typer.Option("--pending", help="Only devices that wait to be enabled.")] = False,
    abandoned: Annotated[
        bool, typer.Option("--abandoned", help="Only those of them that nobody will enable any more.")
    ] = False,
    user: Annotated[str, typer.Option("--user", help="Only devices of this user, or made for it.")] = "",
) -> None:
    """List virtual MFA devices, all pages of them."""
    session: Session = context.obj
    assignment: MfaAssignment = "abandoned" if abandoned else "pending" if pending else "any"
    found = list(session.connect().iterate_mfa_devices(assignment=assignment, user_name=user))
    if session.as_json:
        session.write_json({"mfa_devices": [message_document(device) for device in found]})
    else:
        headings = ("Serial number", "State", "User", "Owner")
        show_table(
            session, f"{len(found)} MFA devices" if len(found) != 1 else "1 MFA device", headings, map(_row, found)
        )


@mfa.command(
    "delete", epilog=epilog("mfa delete ana arn:aws:iam::123456789012:mfa/ana --yes", "mfa delete --abandoned")
)
def delete_mfa_device(
    context: typer.Context,
    user: Annotated[str, typer.Argument(help="The user's name, in any letter case.")] = "",
    serial: Annotated[str, typer.Argument(help="The device's serial number; an ARN for a virtual one.")] = "",
    abandoned: Annotated[
        bool,
        typer.Option("--abandoned", help="All devices that nobody will enable any more; made for USER, if named."),
    ] = False,
    yes: Yes = False,
) -> None:
    """Deactivate an MFA device, and delete it if it is virtual, after a review; a pending one is only deleted."""
    session: Session = context.obj
    if abandoned and serial:
        raise BadInputError("--abandoned is about all such devices: leave out the serial number.")
    if abandoned:
        delete_abandoned(session, user, yes=yes)
        return
    if not (user and serial):
        raise BadInputError("Name the user and the device's serial number, or say --abandoned.")
    ask = partial(session.connect().delete_mfa_device, user, serial)
    change = Change(user, f"Delete {serial} of {user} for good?", ask, forward_only=True, look=get_command(user))
    report(session, review_and_carry_out(session, change, yes=yes), f"Deleted {serial}.")


def _row(device: VirtualMfaDevice) -> tuple[str, ...]:
    if device.user_name:
        return device.serial_number, "enabled", device.user_name, device.owner_team
    state = "abandoned" if device.abandoned else "pending"
    whom = f"for {device.made_for_user_name}" if device.made_for_user_name else ""
    return device.serial_number, state, whom, device.owner_team


def _require_outlet(session: Session, *, shown: bool) -> None:
    """Refuse to make a seed that nobody would see, or that would end in a file or a log by accident."""
    if session.as_json or shown or (sys.stdout is not None and sys.stdout.isatty()):
        return
    raise BadInputError(
        "The seed can be seen only once, and standard output is no terminal. Say --output json, or --show-secrets. "
        "Nothing was created."
    )


def _show_device(session: Session, user: str, device: IssuedMfaDevice, *, sealed: bool) -> None:
    if device.base32_seed:
        show_qr_code(session.results, device.base32_seed, user, device.serial_number)
        show_line(session.results, f"Seed: {device.base32_seed}")
    elif not sealed:
        show_line(session.results, "The seed is withheld: an earlier answer had it.")
    show_line(session.results, f"Serial number: {device.serial_number}")
    show_line(
        session.results,
        f"Scan the code with an authenticator app, then enable the device with two codes that follow one another:\n"
        f"  {enable_command(user, device.serial_number)}",
    )


def _check_codes(*codes: str) -> None:
    if any(code and not _CODE.fullmatch(code) for code in codes):
        raise BadInputError("A code has six digits.")
    if codes[0] and not codes[1]:
        raise BadInputError("Two codes are wanted that follow one another; give both, or none to be asked.")


def _asked(what: str) -> str:
    if sys.stdin is None or not sys.stdin.isatty():
        raise BadInputError("There is no terminal to ask for the codes at; give both after the serial number.")
    while not _CODE.fullmatch(code := str(typer.prompt(what, err=True)).strip()):
        typer.echo("A code has six digits.", err=True)
    return code
