"""Tells which plans are alike: the same steps but for the user's name, and for the values of tags."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from identity_provisioning.v1.plan_pb2 import Plan

USER = "<user>"
"""Stands for each user's name; no name of anything in IAM has such brackets."""
_NAME = r"\w+=,.@-"
_TAG = "tag "
_SOME = 3


@dataclass
class Users:
    """So many users, of whom the first few are named."""

    most: int = _SOME
    count: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, name: str) -> None:
        """Count one more."""
        self.count += 1
        if len(self.names) < self.most:
            self.names.append(name)

    def __str__(self) -> str:
        """Answer them in words."""
        return some(self.names, self.count)


class Alike:
    """Users whose plans are alike."""

    def __init__(self, name: str, plan: Plan) -> None:
        """Take the first of them."""
        self.users = Users()
        self.users.add(name)
        self._name = name
        self._plan = plan
        self._differing: set[tuple[int, str]] = set()

    def add(self, name: str, plan: Plan) -> None:
        """Take one more user, and note which tags do not have the first one's value."""
        for index, (mine, other) in enumerate(zip(self._plan.steps, plan.steps, strict=True)):
            for key, value in other.details.items():
                if key.startswith(_TAG) and neutral(mine.details[key], self._name) != neutral(value, name):
                    self._differing.add((index, key))
        self.users.add(name)

    def plan(self) -> Plan:
        """Answer the plan of all: with a placeholder for the name, and one value of those that differ."""
        if self.users.count == 1:
            return self._plan
        plan = Plan()
        plan.CopyFrom(self._plan)
        for index, step in enumerate(plan.steps):
            step.resource = neutral(step.resource, self._name)
            step.description = neutral(step.description, self._name)
            for key, value in self._plan.steps[index].details.items():
                differs = (index, key) in self._differing
                step.details[key] = f"{value}, and other values" if differs else neutral(value, self._name)
        for step in plan.unchanged_steps:
            step.description = neutral(step.description, self._name)
        return plan


def likeness(name: str, plan: Plan) -> bytes:
    """Answer what is the same for all plans that are alike, and for no other."""
    told = [plan.account_id]
    for step in plan.steps:
        own = (step.resource, step.description)
        told += ["\1", str(step.round), step.iam_action, *(neutral(text, name, "\0") for text in own)]
        for key, value in sorted(step.details.items()):
            told += [key, "" if key.startswith(_TAG) else neutral(value, name, "\0")]
    told += [f"\3{neutral(step.description, name, chr(0))}" for step in plan.unchanged_steps]
    return hashlib.sha256("\2".join(told).encode()).digest()


def neutral(text: str, name: str, placeholder: str = USER) -> str:
    """Answer a text with the placeholder where the name stands as a whole, and not as a part of another name."""
    if name not in text:
        return text
    return re.sub(rf"(?<![{_NAME}]){re.escape(name)}(?![\w+=@-]|[.,][{_NAME}])", lambda _: placeholder, text)


def some(names: Sequence[str], count: int) -> str:
    """Answer the first names of so many, and how many more there are."""
    rest = count - len(names)
    return f"{', '.join(names)} and {rest} more" if rest > 0 else ", ".join(names)
