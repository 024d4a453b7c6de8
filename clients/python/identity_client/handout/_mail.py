"""The mail that tells a user how to sign in: a draft for the sender to read, change and send.

It names the user and the sign-in page and never a password, which goes another way.
"""

from __future__ import annotations

import os
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from urllib.parse import quote

from identity_client.handout._addresses import checked_address
from identity_client.handout._files import put_new_file
from identity_client.handout._sign_in import sign_in_page
from identity_client.handout._template import MailTemplate, shipped_template

_POLICY = SMTP.clone(cte_type="7bit")
"""Drafts are ASCII whatever their language, so that no program on the way has to guess."""


def mail_draft(
    user_name: str,
    sign_in_url: str,
    *,
    recipient: str = "",
    sender: str = "",
    reset_required: bool = False,
    account_id: str = "",
    template: MailTemplate | None = None,
) -> EmailMessage:
    """Write the draft; mail programs open it ready to be sent, since it says `X-Unsent: 1`.

    Args:
        user_name: the user.
        sign_in_url: the sign-in page as the service answers it; it also tells the account's alias, or its id.
        recipient: the address that the mail goes to; the sender fills it in where it is not known.
        sender: the sender's address; the template's where it is not given.
        reset_required: the user has to choose another password at the first sign-in.
        account_id: the account, for a page that is named by its alias.
        template: the mail's text; English where it is not given.

    Raises:
        ValueError: an address is none, or a value does not fit into one line.
    """
    chosen = template or shipped_template("en")
    values = _values(user_name, sign_in_url, account_id, chosen.reset_notice if reset_required else "")
    subject, body = chosen.filled(values)
    message = EmailMessage(policy=_POLICY)
    message["Subject"] = subject
    message["X-Unsent"] = "1"
    for header, address in (("To", recipient), ("From", sender or chosen.sender)):
        if address:
            message[header] = checked_address(address)
    message.set_content(body)
    return message


def _values(user_name: str, sign_in_url: str, account_id: str, reset_notice: str) -> dict[str, str]:
    """Answer the values of the placeholders; what is not known is empty."""
    page = sign_in_page(sign_in_url)
    known_id = account_id or page.account_id
    return {
        "user_name": user_name,
        "sign_in_url": sign_in_url,
        "account_id": known_id,
        "account_alias": page.account_alias,
        "account_name": page.account_alias or known_id,
        "partition": page.partition,
        "reset_notice": reset_notice,
    }


def mail_file_name(user_name: str) -> str:
    """Answer a file name for a user's draft that stays in its folder, and differs where the names differ."""
    return f"{safe_file_stem(user_name)}.eml"


def safe_file_stem(user_name: str) -> str:
    """Answer a user's name as a part of a file name.

    IAM's names may be `..` or begin with a dot or a dash; those characters are written as `%xx`.
    """
    safe = quote(user_name, safe="+=,@")
    if safe[:1] in (".", "-", "~"):
        safe = f"%{ord(safe[0]):02X}{safe[1:]}"
    return safe or "%"


def write_mail_draft(folder: str | os.PathLike[str], user_name: str, message: EmailMessage) -> Path:
    """Put the draft into a folder, whole or not at all, readable for its owner alone.

    Raises:
        FileExistsError: there is a draft for that user.
    """
    path = Path(folder) / mail_file_name(user_name)
    put_new_file(path, message.as_bytes())
    return path
