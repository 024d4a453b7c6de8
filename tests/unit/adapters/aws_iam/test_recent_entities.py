"""The record of entities made a moment ago."""

from typing import Any

from identity_service.adapters.aws_iam.recent_entities import Entity, RecentEntities


def test_entity_is_recent_for_the_window(time: Any) -> None:
    """A user or group, in any letter case, is known until the window is over."""
    recent = RecentEntities(15.0, time.clock.now)
    recent.add(Entity.user("Maria"))
    recent.add(Entity.group("Developers"))
    time.now += 14.9
    assert Entity.user("mARIA") in recent
    assert Entity.group("developers") in recent
    time.now += 0.1
    assert Entity.user("Maria") not in recent
    assert Entity.group("Developers") not in recent


def test_kinds_are_told_apart(time: Any) -> None:
    """A user is not expected because a group of its name was made."""
    recent = RecentEntities(15.0, time.clock.now)
    recent.add(Entity.group("ops"))
    assert Entity.user("ops") not in recent


def test_deleted_entity_is_not_recent(time: Any) -> None:
    """What was removed is not waited for; removing something unknown is no error."""
    recent = RecentEntities(15.0, time.clock.now)
    recent.add(Entity.user("Maria"))
    recent.remove(Entity.user("maria"))
    recent.remove(Entity.policy("arn:aws:iam::123456789012:policy/unknown"))
    assert Entity.user("Maria") not in recent


def test_record_does_not_grow(time: Any) -> None:
    """Entities whose window is over are dropped when the next one comes."""
    recent = RecentEntities(15.0, time.clock.now)
    for number in range(1000):
        recent.add(Entity.user(f"user-{number}"))
        time.now += 1.0
    assert len(recent) <= 15
