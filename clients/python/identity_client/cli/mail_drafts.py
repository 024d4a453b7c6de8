"""The options about mail drafts, and one user's draft."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from identity_client.cli.checks import EMAIL
from identity_client.cli.failures import BadInputError
from identity_client.cli.options import check
from identity_client.cli.outcome import account_of
from identity_client.cli.wanted import WantedUser
from identity_client.handout import (
    LANGUAGES,
    PLACEHOLDERS,
    MailTemplate,
    TemplateError,
    load_template,
    mail_draft,
    shipped_template,
    write_mail_draft,
)
from identity_provisioning.v1.user_service_pb2 import ProvisionUserResponse

MailDir = Annotated[Path | None, typer.Option("--mail-dir", help="Write a mail draft per console user to this folder.")]
MailLanguage = Annotated[str, typer.Option("--mail-language", help=f"The drafts' language: {' or '.join(LANGUAGES)}.")]
MailTemplateFile = Annotated[
    Path | None,
    typer.Option(
        "--mail-template",
        help="Your own text of the drafts, in any language: `Subject: ...`, an empty line, the body, with "
        f"{', '.join(f'${name}' for name in PLACEHOLDERS)}.",
    ),
]
Email = Annotated[str, typer.Option("--email", help="Where the one user's mail draft is addressed to.")]


@dataclass(frozen=True)
class WrittenDraft:
    """Where a user's draft is now, None if it was not written, and what to know of that."""

    path: Path | None = None
    notes: tuple[str, ...] = ()


def read_template(mail_dir: Path | None, language: str, file: Path | None) -> MailTemplate | None:
    """Read the drafts' text before anything is asked of the service.

    Raises:
        BadInputError: the options contradict one another, or the text cannot be used.
    """
    if language and file is not None:
        raise BadInputError("--mail-language is about the texts that come with this program; --mail-template is yours.")
    if (language or file is not None) and mail_dir is None:
        raise BadInputError("Say where the mail drafts go: --mail-dir FOLDER.")
    try:
        return shipped_template(language or LANGUAGES[0]) if file is None else load_template(file)
    except TemplateError as error:
        raise BadInputError(str(error)) from None
    except ValueError as error:
        raise BadInputError(f"--mail-language: {error}") from None
    except OSError as error:
        raise BadInputError(f"{file}: {error.strerror or error}") from None


def check_email(address: str) -> None:
    """Hold an address to what a header takes; an empty one was not given.

    Raises:
        BadInputError: it is none.
    """
    check("--email", EMAIL, address)


def write_draft(
    folder: Path, template: MailTemplate | None, user: WantedUser, response: ProvisionUserResponse
) -> WrittenDraft:
    """Write a user's draft into the folder, if the user has a console password; a failure is told and stops nothing."""
    if user.console is None:
        return WrittenDraft()
    name = response.user.user_name or user.name
    try:
        draft = mail_draft(
            name,
            response.sign_in_url,
            recipient=user.email,
            reset_required=user.console.require_reset,
            account_id=account_of(response.user.arn),
            template=template,
        )
        return WrittenDraft(write_mail_draft(folder, name, draft))
    except FileExistsError:
        return WrittenDraft(notes=("An earlier mail draft was left as it is.",))
    except Exception as error:  # noqa: BLE001 -- a draft can be written anew, another user's secrets cannot
        reason = getattr(error, "strerror", None) or type(error).__name__
        return WrittenDraft(notes=(f"The mail draft could not be written: {reason}.",))
