"""What is handed to people afterwards: the credentials file, and mail drafts with the way to sign in."""

from identity_client.handout._csv import COLUMNS, CredentialsCsv, CredentialsRow, FileIdentity, csv_row
from identity_client.handout._mail import checked_address, mail_draft, mail_file_name, write_mail_draft

__all__ = [
    "COLUMNS",
    "CredentialsCsv",
    "CredentialsRow",
    "FileIdentity",
    "checked_address",
    "csv_row",
    "mail_draft",
    "mail_file_name",
    "write_mail_draft",
]
