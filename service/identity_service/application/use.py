"""Signs that somebody has the secrets of credentials. No sign proves nothing: IAM tells of use late, or not at all."""

from collections.abc import Sequence

from identity_service.application.ledger import Intent
from identity_service.application.ports import IamAccount
from identity_service.domain.minting import Mint, MintKind, MintState
from identity_service.domain.steps import UserStep


async def was_used(account: IamAccount, intent: Intent, mints: Sequence[Mint]) -> bool:
    """Tell whether IAM knows of a use of what a request has minted. Raises IamError."""
    names = [step.user_name for step in intent.plan.steps if isinstance(step, UserStep)]
    user_name = names[0] if names else intent.plan.target.name
    for mint in mints:
        if mint.state is MintState.MADE and await _was_used(account, user_name, mint):
            return True
    return False


async def _was_used(account: IamAccount, user_name: str, mint: Mint) -> bool:
    match mint.kind:
        case MintKind.ACCESS_KEY:
            return await account.get_access_key_last_used(mint.credential_id) is not None
        case MintKind.CONSOLE_PASSWORD:
            user = await account.get_user(user_name)
            used_at = user.password_last_used_at if user else None
            return used_at is not None and used_at >= mint.begun_at
        case MintKind.MFA_DEVICE:
            devices = await account.list_mfa_devices(user_name)
            return mint.credential_id in {device.serial_number for device in devices}
