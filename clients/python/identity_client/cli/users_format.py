"""The users file's fields: the one description that the reader, the schema and the example are made from."""

from __future__ import annotations

from typing import Any, get_args

from identity_client._specs import SelfManagementLevel
from identity_client.cli.checks import (
    DESCRIPTION,
    EMAIL,
    GROUP_NAME,
    MOST_GROUPS,
    MOST_INLINE_POLICIES,
    MOST_NEW_GROUPS,
    MOST_NEW_POLICIES,
    MOST_POLICIES,
    MOST_POLICIES_OF_A_GROUP,
    PATH,
    POLICY,
    POLICY_NAME,
    USER_NAME,
)
from identity_client.cli.field_kinds import (
    Choice,
    Console,
    Document,
    Documents,
    Field,
    Flag,
    MfaDevice,
    Record,
    Records,
    Tags,
    Text,
    Texts,
    fields_schema,
    or_null,
)
from identity_provisioning.v1.permission_pb2 import NewGroup, NewPolicy

LEVELS = tuple(level for level in get_args(SelfManagementLevel) if level)


def _new_group(values: dict[str, Any]) -> NewGroup:
    return NewGroup(
        group_name=values.get("name", ""), path=values.get("path", ""), managed_policies=values.get("policies", [])
    )


def _new_policy(values: dict[str, Any]) -> NewPolicy:
    return NewPolicy(
        policy_name=values.get("name", ""),
        path=values.get("path", ""),
        description=values.get("description", ""),
        document=values.get("document", ""),
    )


_NEW_GROUP = Record(
    (
        Field("name", Text(GROUP_NAME), "The group's name.", required=True),
        Field("path", Text(PATH), "The group's path; / if not given."),
        Field("policies", Texts(POLICY, MOST_POLICIES_OF_A_GROUP), "Managed policies of the group, by name or ARN."),
    ),
    _new_group,
)
_NEW_POLICY = Record(
    (
        Field("name", Text(POLICY_NAME), "The policy's name.", required=True),
        Field("path", Text(PATH), "The policy's path; / if not given."),
        Field("description", Text(DESCRIPTION), "What the policy is for."),
        Field("document", Document(), "The document, or @FILE.json beside the users file.", required=True),
    ),
    _new_policy,
)

SHARED_FIELDS = (
    Field("path", Text(PATH), "The user's path, such as /people/; / if not given."),
    Field("tags", Tags(), "The user's tags, key to value."),
    Field("access_key", Flag(), "Make an access key, for programs."),
    Field("console", Console(), "Make a console password, generated, for people."),
    Field("mfa_device", MfaDevice(), "Make a virtual MFA device, left pending; true, or the device's name."),
    Field("groups", Texts(GROUP_NAME, MOST_GROUPS), "Existing groups."),
    Field("policies", Texts(POLICY, MOST_POLICIES), "Existing managed policies to attach, by name or ARN."),
    Field("inline_policies", Documents(POLICY_NAME, MOST_INLINE_POLICIES), "Inline policies: documents, or @FILE."),
    Field("boundary", Text(POLICY), "The managed policy that bounds the user, by name or ARN."),
    Field("copy_from", Text(USER_NAME), "A user whose groups, policies and boundary are copied."),
    Field("self_management", Choice(LEVELS), "What of their own the user may manage."),
)
"""What a user may have, and the defaults as well."""

USER_FIELDS = (
    Field("name", Text(USER_NAME), "The user's name, unique in the account in any letter case.", required=True),
    Field("email", Text(EMAIL), "Where the mail draft is addressed to."),
    *SHARED_FIELDS,
    Field("new_groups", Records(_NEW_GROUP, MOST_NEW_GROUPS), "Groups to make on the way, with the user in them."),
    Field("new_policies", Records(_NEW_POLICY, MOST_NEW_POLICIES), "Managed policies to make and attach."),
    Field("new_boundary", _NEW_POLICY, "A managed policy to make and to use as the boundary."),
)
"""What a user may have."""


def users_schema() -> dict[str, Any]:
    """Answer the JSON schema of a users file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Users file of identityctl",
        "description": "Users for `identityctl plan -f` and `identityctl provision -f`. A user overrides the defaults: "
        "maps are merged, lists and single values are replaced, null removes.",
        "type": "object",
        "properties": {
            "defaults": {"description": "What holds for every user.", **or_null(fields_schema(SHARED_FIELDS))},
            "users": {
                "description": "The users to make.",
                "type": "array",
                "minItems": 1,
                "items": fields_schema(USER_FIELDS),
            },
        },
        "required": ["users"],
        "additionalProperties": False,
    }
