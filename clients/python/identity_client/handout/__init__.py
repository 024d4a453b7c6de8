"""What is handed to people afterwards: the credentials file, MFA devices, and mail drafts with the way to sign in."""

from identity_client.handout._addresses import checked_address
from identity_client.handout._cells import escape_cell, unescape_cell
from identity_client.handout._csv import (
    COLUMNS,
    CredentialsCsv,
    CredentialsRow,
    FileIdentity,
    csv_row,
    read_credentials_csv,
)
from identity_client.handout._files import put_new_file
from identity_client.handout._mail import mail_draft, mail_file_name, write_mail_draft
from identity_client.handout._mfa import mfa_files, write_mfa_device
from identity_client.handout._sign_in import SignInPage, sign_in_page
from identity_client.handout._template import (
    LANGUAGES,
    PLACEHOLDERS,
    MailTemplate,
    TemplateError,
    load_template,
    parse_template,
    shipped_template,
)

__all__ = [
    "COLUMNS",
    "LANGUAGES",
    "PLACEHOLDERS",
    "CredentialsCsv",
    "CredentialsRow",
    "FileIdentity",
    "MailTemplate",
    "SignInPage",
    "TemplateError",
    "checked_address",
    "csv_row",
    "escape_cell",
    "load_template",
    "mail_draft",
    "mail_file_name",
    "mfa_files",
    "parse_template",
    "put_new_file",
    "read_credentials_csv",
    "shipped_template",
    "sign_in_page",
    "unescape_cell",
    "write_mail_draft",
    "write_mfa_device",
]
