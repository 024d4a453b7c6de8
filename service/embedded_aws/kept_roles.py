"""Roles that outlast a reset, with temporary credentials that do not end: whom a service under test acts as."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from datetime import datetime

from embedded_aws.account import Account, Credentials, KeptRole, Session, unique_id
from embedded_aws.errors import AwsError
from embedded_aws.subjects.policy_documents import check_document

_SESSION_NAME = "kept"
_TRUST = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}


def keep_role(account: Account, name: str, documents: Sequence[str]) -> KeptRole:
    """Put a role there that a reset puts back; one that is kept already gets other policies and keeps its session.

    ValueError if another role has the name, or if a document is malformed.
    """
    try:
        for document in documents:
            check_document(document)
    except AwsError as error:
        raise ValueError(str(error)) from None
    kept = account.kept_roles.get(name)
    if kept is None and account.find_role(name) is not None:
        raise ValueError(f"there is a role {name} already")
    if kept is None:
        key_id, secret, token = unique_id("ASIA", 20), secrets.token_urlsafe(30), secrets.token_urlsafe(120)
        kept = KeptRole(name, [], key_id, secret, token)
    kept.documents = list(documents)
    account.kept_roles[name] = kept
    _put_back(account, kept)
    return kept


def put_back_kept_roles(account: Account) -> None:
    """Make the kept roles anew in an account that was emptied."""
    for kept in account.kept_roles.values():
        _put_back(account, kept)


def _put_back(account: Account, kept: KeptRole) -> None:
    role = account.find_role(kept.name) or account.iam.create_role(
        role_name=kept.name,
        assume_role_policy_document=json.dumps({"Version": "2012-10-17", "Statement": _TRUST}),
        path="/",
        permissions_boundary=None,
        description="",
        tags=[],
        max_session_duration="3600",
    )
    role.policies = {f"policy-{number}": document for number, document in enumerate(kept.documents, start=1)}
    account.sessions[kept.access_key_id] = Session(
        credentials=Credentials(kept.access_key_id, kept.secret_access_key),
        token=kept.session_token,
        arn=f"arn:{account.partition}:sts::{account.account_id}:assumed-role/{kept.name}/{_SESSION_NAME}",
        principal_id=f"{role.id}:{_SESSION_NAME}",
        issued=account.now(),
        expires=datetime.max,
        role=role,
    )
