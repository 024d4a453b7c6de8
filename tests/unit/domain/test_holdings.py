"""What requests have given and taken: what should be there and is not, and what is there and should not be."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from identity_service.domain.entities import (
    AttachedPolicyRecord,
    GroupRecord,
    LoginProfileRecord,
    UserRecord,
    UserSnapshot,
)
from identity_service.domain.holdings import Kind, PastRequest, Thing, has_come, is_wanted, may_delete, missing
from identity_service.domain.plan import Plan
from identity_service.domain.steps import (
    AddUserToGroup,
    AttachUserPolicy,
    CreateLoginProfile,
    CreateUser,
    DeleteLoginProfile,
    DeleteUser,
    DeleteUserPermissionsBoundary,
    DeleteUserPolicy,
    DetachUserPolicy,
    PutUserPermissionsBoundary,
    PutUserPolicy,
    RemoveUserFromGroup,
    Step,
    UpdateUser,
)
from identity_service.domain.target import user

BEGAN = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
WHO = {"user_name": "ana", "user_arn": "arn:aws:iam::123456789012:user/ana", "round": 1}
POLICY = "arn:aws:iam::123456789012:policy/Deploy"
OTHER_POLICY = "arn:aws:iam::123456789012:policy/Other"
GROUP = {"group_name": "Developers", "group_arn": "arn:aws:iam::123456789012:group/Developers"}
DOCUMENT = '{"Version": "2012-10-17", "Statement": []}'

CREATE = CreateUser(**WHO, path="/", boundary_arn=None)  # type: ignore[arg-type]  # the parts are a step's
SET_PASSWORD = CreateLoginProfile(**WHO, reset_required=False, generated=True)  # type: ignore[arg-type]  # the parts are a step's
JOIN = AddUserToGroup(**WHO, **GROUP)  # type: ignore[arg-type]  # the parts are a step's
LEAVE = RemoveUserFromGroup(**WHO, **GROUP)  # type: ignore[arg-type]  # the parts are a step's
ATTACH = AttachUserPolicy(**WHO, policy_arn=POLICY)  # type: ignore[arg-type]  # the parts are a step's
DETACH = DetachUserPolicy(**WHO, policy_arn=POLICY)  # type: ignore[arg-type]  # the parts are a step's
PUT = PutUserPolicy(**WHO, policy_name="own", document=DOCUMENT)  # type: ignore[arg-type]  # the parts are a step's
BOUND = PutUserPermissionsBoundary(**WHO, boundary_arn=POLICY)  # type: ignore[arg-type]  # the parts are a step's
DELETE = DeleteUser(**WHO)  # type: ignore[arg-type]  # the parts are a step's
RENAME = UpdateUser(**WHO, new_user_name="bo", new_path=None)  # type: ignore[arg-type]  # the parts are a step's
MOVE = replace(RENAME, new_user_name=None, new_path="/people/")

TAKERS: list[tuple[Step, Step]] = [
    (SET_PASSWORD, DeleteLoginProfile(**WHO)),  # type: ignore[arg-type]  # the parts are a step's
    (JOIN, LEAVE),
    (ATTACH, DETACH),
    (PUT, DeleteUserPolicy(**WHO, policy_name="own")),  # type: ignore[arg-type]  # the parts are a step's
    (BOUND, DeleteUserPermissionsBoundary(**WHO)),  # type: ignore[arg-type]  # the parts are a step's
    (BOUND, replace(BOUND, boundary_arn=OTHER_POLICY)),
    (JOIN, DELETE),
    (JOIN, RENAME),
    (CREATE, DELETE),
]


def plan_of(*steps: Step, satisfied: tuple[Step, ...] = ()) -> Plan:
    """Make a plan of steps."""
    return Plan("123456789012", user("ana"), steps=steps, satisfied=satisfied)


def done(row_id: str, second: int, *steps: Step, lasted: int = 1, satisfied: tuple[Step, ...] = ()) -> PastRequest:
    """Make a request that was done so many seconds after the beginning."""
    begun = BEGAN + timedelta(seconds=second)
    plan = plan_of(*steps, satisfied=satisfied)
    return PastRequest(row_id, plan, "AIDAANA", begun, begun + timedelta(seconds=lasted))


BARE = UserSnapshot(UserRecord("ana", "AIDAANA", WHO["user_arn"], "/", BEGAN))  # type: ignore[arg-type]  # it is a text
FULL = replace(
    BARE,
    user=replace(BARE.user, boundary_arn=POLICY),
    login_profile=LoginProfileRecord(BEGAN, reset_required=False),
    groups=(GroupRecord("DEVELOPERS", GROUP["group_arn"]),),
    attached_policies=(AttachedPolicyRecord("Deploy", POLICY),),
    inline_policies={"own": DOCUMENT},
)
GIVES: dict[Step, Kind] = {
    SET_PASSWORD: Kind.PASSWORD,
    JOIN: Kind.GROUP,
    ATTACH: Kind.POLICY,
    PUT: Kind.INLINE,
    BOUND: Kind.BOUNDARY,
}


@pytest.mark.parametrize("given", GIVES, ids=GIVES.values())
def test_what_was_given_and_is_gone_is_missing(given: Step) -> None:
    """As long as it is there, nothing is missed; also what a request found there already was asked for."""
    own = plan_of(given)
    assert [thing.kind for thing in missing([done("a", 0, given)], own, BARE)] == [GIVES[given]]
    assert [thing.kind for thing in missing([done("a", 0, satisfied=(given,))], own, BARE)] == [GIVES[given]]
    assert missing([done("a", 0, given)], own, FULL) == ()


@pytest.mark.parametrize(("given", "taken"), TAKERS)
def test_what_a_later_request_took_is_not_missing(given: Step, taken: Step) -> None:
    """Whoever took it wanted that; and who gives it once more wants it again."""
    own = plan_of(given, taken)
    gone = None if isinstance(taken, DeleteUser | UpdateUser) else BARE
    assert thing_of(given) not in missing([done("a", 0, given), done("b", 2, taken)], own, gone)
    if given is not CREATE:
        assert thing_of(given) in missing([done("b", 0, taken), done("a", 2, given)], own, BARE)


def thing_of(step: Step) -> Thing:
    """Return what a step gives."""
    (thing,) = done("a", 0, step).gives()
    return thing


def test_a_move_takes_nothing() -> None:
    """Another path leaves a user what it has."""
    assert missing([done("a", 0, JOIN), done("b", 2, MOVE)], plan_of(JOIN), BARE)


def test_what_was_taken_while_a_request_was_repeated_is_not_missing() -> None:
    """A reissue ends long after the grants of its request: who took them between took them after they were given."""
    assert missing([done("a", 0, JOIN, lasted=100), done("b", 2, LEAVE)], plan_of(JOIN), BARE) == ()


def test_only_what_a_request_may_have_deleted_is_missing() -> None:
    """What its own steps and their undo never name, somebody else has taken."""
    assert missing([done("a", 0, ATTACH)], plan_of(JOIN), BARE) == ()
    assert not may_delete(plan_of(JOIN), Thing(Kind.POLICY, POLICY))
    assert may_delete(plan_of(DETACH), Thing(Kind.POLICY, POLICY))
    assert may_delete(plan_of(DELETE), Thing(Kind.POLICY, POLICY))


def test_of_a_user_that_is_gone_the_user_alone_is_missing() -> None:
    """All else went with it, and only a request that may have deleted a user is asked about one."""
    past = [done("a", 0, JOIN, ATTACH)]
    assert missing(past, plan_of(CREATE, JOIN), None) == (Thing(Kind.USER),)
    assert missing(past, plan_of(JOIN), None) == ()


def test_of_another_user_nothing_is_missing() -> None:
    """A user that was made again under the name has nothing of what the first was given."""
    again = replace(BARE, user=replace(BARE.user, user_id="AIDAOTHER"))
    assert missing([done("a", 0, JOIN)], plan_of(JOIN), again) == ()


@pytest.mark.parametrize(("given", "taken"), TAKERS)
def test_what_is_wanted(given: Step, taken: Step) -> None:
    """What was given last and not taken after it."""
    thing = thing_of(given)
    assert is_wanted(thing, [done("a", 0, given)])
    assert not is_wanted(thing, [])
    assert not is_wanted(thing, [done("a", 0, given), done("b", 2, taken)])
    assert is_wanted(thing, [done("b", 0, taken), done("a", 2, given)])


@pytest.mark.parametrize("given", GIVES, ids=GIVES.values())
def test_what_has_come(given: Step) -> None:
    """A thing has come if it is there now and was not before."""
    thing = thing_of(given)
    assert has_come(thing, BARE, FULL)
    assert not has_come(thing, FULL, FULL)
    assert not has_come(thing, FULL, BARE)


def test_an_inline_policy_is_known_by_its_document() -> None:
    """Another document under the name is somebody else's; spaces do not matter."""
    thing = thing_of(PUT)
    other = replace(BARE, inline_policies={"own": '{"Version": "2008-10-17"}'})
    assert not has_come(thing, BARE, other)
    assert has_come(thing, other, replace(FULL, inline_policies={"own": DOCUMENT.replace(" ", "")}))


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (Thing(Kind.USER), "user ana"),
        (Thing(Kind.PASSWORD), "console password of ana"),
        (Thing(Kind.POLICY, POLICY), f"policy {POLICY} of ana"),
    ],
)
def test_things_are_named(thing: Thing, words: str) -> None:
    """An operator reads what it is about."""
    assert thing.of("ana") == words
