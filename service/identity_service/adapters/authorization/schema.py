"""The schema of authorization: what the operator's policies can speak of."""

import functools
import json
from importlib import resources

import cedarpy

PLAN_ACTION_MARK = ":"
"""Stands in the names of actions that are steps of a plan, and in no RPC's name."""


@functools.cache
def text() -> str:
    """Return the schema as it is shipped."""
    return (resources.files(__package__) / "schema.cedarschema").read_text(encoding="utf-8")


@functools.cache
def schema() -> cedarpy.Schema:
    """Return the schema, parsed once."""
    return cedarpy.Schema.from_str(text())


@functools.cache
def action_entities() -> cedarpy.Entities:
    """Return the actions with the groups that they are in, as entities that every decision needs."""
    return cedarpy.Entities.from_json_str("[]", schema())


def actions() -> frozenset[str]:
    """Return the names of all actions, without those of groups of actions, which are written in small letters."""
    names = {entity["uid"]["id"] for entity in json.loads(str(action_entities()))}
    return frozenset(name for name in names if PLAN_ACTION_MARK in name or not name[:1].islower())


def rpc_actions() -> frozenset[str]:
    """Return the actions that are RPCs."""
    return frozenset(name for name in actions() if PLAN_ACTION_MARK not in name)
