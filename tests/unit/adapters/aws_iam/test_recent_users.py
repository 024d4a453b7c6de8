"""The record of users made a moment ago."""

from typing import Any

from identity_service.adapters.aws_iam.recent_users import RecentUsers


def test_user_is_recent_for_the_window(time: Any) -> None:
    """A name, in any letter case, is known until the window is over."""
    users = RecentUsers(15.0, time.clock.now)
    users.add("Maria")
    time.now += 14.9
    assert "mARIA" in users
    time.now += 0.1
    assert "Maria" not in users


def test_deleted_user_is_not_recent(time: Any) -> None:
    """A user who was removed is not waited for; removing an unknown one is no error."""
    users = RecentUsers(15.0, time.clock.now)
    users.add("Maria")
    users.remove("maria")
    users.remove("nobody")
    assert "Maria" not in users


def test_record_does_not_grow(time: Any) -> None:
    """Names whose window is over are dropped when the next one comes."""
    users = RecentUsers(15.0, time.clock.now)
    for number in range(1000):
        users.add(f"user-{number}")
        time.now += 1.0
    assert len(users) <= 15
