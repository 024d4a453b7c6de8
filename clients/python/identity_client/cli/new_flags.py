"""Reads the options about groups and policies that are made on the way, as the users file has them."""

from __future__ import annotations

from collections.abc import Sequence

from identity_client.cli.checks import (
    GROUP_NAME,
    LARGEST_DOCUMENT,
    MOST_NEW_GROUPS,
    MOST_NEW_POLICIES,
    MOST_POLICIES_OF_A_GROUP,
    POLICY,
    POLICY_NAME,
)
from identity_client.cli.failures import BadInputError
from identity_client.cli.options import check, document_from, pairs
from identity_provisioning.v1.permission_pb2 import NewGroup, NewPolicy

NEW_GROUP, NEW_POLICY, NEW_BOUNDARY = "--new-group", "--new-policy", "--new-boundary"


def read_new_groups(texts: Sequence[str]) -> list[NewGroup]:
    """Read texts like `NAME` or `NAME:POLICY,POLICY`.

    Raises:
        BadInputError: one breaks a rule of the contract.
    """
    groups = [_new_group(text) for text in texts]
    _check_names(NEW_GROUP, [group.group_name for group in groups], MOST_NEW_GROUPS)
    return groups


def read_new_policies(texts: Sequence[str]) -> list[NewPolicy]:
    """Read texts like `NAME=@FILE.json`.

    Raises:
        BadInputError: one breaks a rule of the contract, or its file cannot be read.
    """
    policies = [_new_policy(NEW_POLICY, name, file) for name, file in pairs(NEW_POLICY, texts).items()]
    _check_names(NEW_POLICY, [policy.policy_name for policy in policies], MOST_NEW_POLICIES)
    return policies


def read_new_boundary(text: str, new_policies: Sequence[NewPolicy]) -> NewPolicy | None:
    """Read a text like `NAME=@FILE.json`; None if it is empty.

    Raises:
        BadInputError: it breaks a rule of the contract, its file cannot be read, or a new policy has its name.
    """
    if not text:
        return None
    ((name, file),) = pairs(NEW_BOUNDARY, [text]).items()
    boundary = _new_policy(NEW_BOUNDARY, name, file)
    if name.casefold() in {policy.policy_name.casefold() for policy in new_policies}:
        raise BadInputError(f"{NEW_BOUNDARY}: {name!r} is the name of a {NEW_POLICY} as well; each is made once.")
    return boundary


def _new_group(text: str) -> NewGroup:
    name, colon, listed = text.partition(":")
    policies = listed.split(",") if colon else []
    if not name or not all(policies):
        raise BadInputError(f"{NEW_GROUP} {text!r}: takes NAME, or NAME:POLICY,POLICY")
    check(NEW_GROUP, GROUP_NAME, name)
    check(f"{NEW_GROUP} {name}", POLICY, *policies)
    if len(set(policies)) < len(policies):
        raise BadInputError(f"{NEW_GROUP} {name}: a policy is there twice")
    if len(policies) > MOST_POLICIES_OF_A_GROUP:
        raise BadInputError(f"{NEW_GROUP} {name}: {len(policies)} policies; a group takes {MOST_POLICIES_OF_A_GROUP}")
    return NewGroup(group_name=name, managed_policies=policies)


def _new_policy(option: str, name: str, file: str) -> NewPolicy:
    check(option, POLICY_NAME, name)
    document = document_from(file)
    if len(document) > LARGEST_DOCUMENT:
        raise BadInputError(f"{option} {name}: the document is longer than {LARGEST_DOCUMENT} characters")
    return NewPolicy(policy_name=name, document=document)


def _check_names(option: str, names: Sequence[str], most: int) -> None:
    if len(names) > most:
        raise BadInputError(f"{option}: is there {len(names)} times; {most} at most are taken")
    if len({name.casefold() for name in names}) < len(names):
        raise BadInputError(f"{option}: a name is there twice; letter case makes no difference.")
