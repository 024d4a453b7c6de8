"""The mail that tells a user how to sign in: a draft for the sender to read, change and send.

It names the user and the sign-in page and never a password, which goes another way.
"""

from __future__ import annotations

import os
import re
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from urllib.parse import quote

_BODY = """\
Hello,

you now have a user in our AWS account.

    Sign in at:  {sign_in_url}
    User name:   {user_name}

Your password reaches you separately, never by mail.
{reset}Should it not arrive, or should you not have expected this mail,
please answer it.
"""
_RESET = "You will be asked to choose another one when you first sign in.\n"
# A dot-atom of RFC 5322 and a host name, and no more: Python's header parser fails on some of what RFC 5322 also
# allows, and reads `=?...?=` as encoded text.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?!.*=\?)(?=.{{1,254}}\Z)(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")


def mail_draft(
    user_name: str, sign_in_url: str, *, recipient: str = "", sender: str = "", reset_required: bool = False
) -> EmailMessage:
    """Write the draft; mail programs open it ready to be sent, since it says `X-Unsent: 1`.

    Raises:
        ValueError: an address is none.
    """
    message = EmailMessage(policy=SMTP)
    message["Subject"] = "Your AWS user"
    message["X-Unsent"] = "1"
    for header, address in (("To", recipient), ("From", sender)):
        if address:
            message[header] = checked_address(address)
    reset = _RESET if reset_required else ""
    message.set_content(_BODY.format(sign_in_url=sign_in_url, user_name=user_name, reset=reset))
    return message


def checked_address(address: str) -> str:
    """Answer the address if it is one and nothing more.

    Raises:
        ValueError: it is none; a list of addresses or a header in disguise is none either.
    """
    if not _ADDRESS.fullmatch(address):
        raise ValueError(f"{address!r} is not a mail address")
    return address


def mail_file_name(user_name: str) -> str:
    """Answer a file name for a user's draft that stays in its folder, and differs where the names differ.

    IAM's names may be `..` or begin with a dot or a dash; those characters are written as `%xx`.
    """
    safe = quote(user_name, safe="+=,@")
    if safe[:1] in (".", "-", "~"):
        safe = f"%{ord(safe[0]):02X}{safe[1:]}"
    return f"{safe or '%'}.eml"


def write_mail_draft(folder: str | os.PathLike[str], user_name: str, message: EmailMessage) -> Path:
    """Put the draft into a folder, readable for its owner alone.

    Raises:
        FileExistsError: there is a draft for that user.
    """
    path = Path(folder) / mail_file_name(user_name)
    text = message.as_bytes()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        try:
            file.write(text)
            file.flush()
        except OSError:
            path.unlink()  # half a draft would stop the next run from writing a whole one
            raise
    return path
