"""`identityctl mfa delete --abandoned`: all devices at once that nobody will enable any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import typer

from identity_client import IdentityClient, IdentityServiceError
from identity_client.cli.consent import require_consent
from identity_client.cli.exit_codes import ExitCode
from identity_client.cli.failures import as_cli_error, cannot_reach, error_document, explained, message_document
from identity_client.cli.review import reason_of, show_line
from identity_client.cli.session import Session
from identity_client.cli.tables import show_table
from identity_provisioning.v1.credential_pb2 import VirtualMfaDevice

_DEACTIVATION = "iam:DeactivateMFADevice"
_ENABLED_BY_NOW = "It is enabled by now."


@dataclass(frozen=True)
class _Planned:
    """A device with the digest of its deletion's plan, or with why it stays."""

    device: VirtualMfaDevice
    digest: str = ""
    stays: str = ""


def delete_abandoned(session: Session, user: str, *, yes: bool) -> None:
    """List the devices, ask once, and delete each as it was planned; what the caller may not delete stays.

    Args:
        session: where to ask and to write.
        user: the user that the devices were made for; empty for all.
        yes: nobody is asked.

    Raises:
        CliError: the service cannot be reached, or nobody agreed.
        typer.Exit: a device could not be deleted.
    """
    client = session.connect()
    found = client.iterate_mfa_devices(assignment="abandoned", user_name=user)
    planned = [_planned(client, device) for device in found]
    going = [each for each in planned if each.digest]
    staying = [each for each in planned if not each.digest]
    if not session.as_json:
        _review(session, going, staying)
    if going:
        what = "this MFA device" if len(going) == 1 else f"these {len(going)} MFA devices"
        require_consent(f"Delete {what} for good?", given=yes)
    failures = [(each, error) for each in going if (error := _deleted(session, client, each))]
    if session.as_json:
        _write_document(session, going, staying, failures)
    if failures:
        raise typer.Exit(ExitCode.SOME_FAILED)


def _planned(client: IdentityClient, device: VirtualMfaDevice) -> _Planned:
    """Plan a deletion; one that would take a device from a user who has enabled it meanwhile is none."""
    try:
        plan = client.delete_mfa_device(device.made_for_user_name, device.serial_number, validate_only=True).plan
    except IdentityServiceError as error:
        if cannot_reach(error):
            raise as_cli_error(error) from None
        return _Planned(device, stays=explained(error, to_do=""))
    if plan.problems:
        return _Planned(device, stays=" ".join(f"{reason_of(each)}: {each.message}." for each in plan.problems))
    if any(step.iam_action == _DEACTIVATION for step in plan.steps):
        return _Planned(device, stays=_ENABLED_BY_NOW)
    return _Planned(device, digest=plan.digest)


def _review(session: Session, going: Sequence[_Planned], staying: Sequence[_Planned]) -> None:
    rows = [(each.device.serial_number, each.device.made_for_user_name, each.device.owner_team) for each in going]
    show_table(session, "Abandoned MFA devices", ("Serial number", "Made for", "Owner"), rows)
    for each in staying:
        session.say(f"{each.device.serial_number} stays. {each.stays}")


def _deleted(session: Session, client: IdentityClient, each: _Planned) -> IdentityServiceError | None:
    """Delete one device just as it was planned, and tell of it; answer what went wrong."""
    serial = each.device.serial_number
    try:
        client.delete_mfa_device(each.device.made_for_user_name, serial, expected_plan_digest=each.digest)
    except IdentityServiceError as error:
        session.say(f"{serial}: {explained(error, forward_only=True)}")
        return error
    if not session.as_json:
        show_line(session.results, f"Deleted {serial}.")
    return None


def _write_document(
    session: Session,
    going: Sequence[_Planned],
    staying: Sequence[_Planned],
    failures: Sequence[tuple[_Planned, IdentityServiceError]],
) -> None:
    failed = {each.device.serial_number: error for each, error in failures}
    deleted = [each.device for each in going if each.device.serial_number not in failed]
    session.write_json(
        {
            "deleted": [message_document(device) for device in deleted],
            "kept": [{"mfa_device": message_document(each.device), "why": each.stays} for each in staying],
            "failed": [
                {"mfa_device": message_document(each.device), "error": error_document(error)}
                for each, error in failures
            ],
        }
    )
