"""AWS's evaluation logic, rule by rule, and what must hold for whatever policies there are."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded_aws.policy_conditions import conditions_hold
from embedded_aws.policy_evaluation import Decision, condition_keys, decide, decide_bounded, decide_limited, has_say
from embedded_aws.policy_patterns import Facts, arn_like, like

ALLOWED, DENIED, IMPLICIT = Decision.ALLOWED, Decision.EXPLICIT_DENY, Decision.IMPLICIT_DENY
USER = "arn:aws:iam::123456789012:user/team/ada"


def policy(effect: str = "Allow", version: str | None = "2012-10-17", **elements: Any) -> dict[str, Any]:
    """A policy of one statement about everything, unless told otherwise."""
    named = {"Action": "*"} if not elements.keys() & {"Action", "NotAction"} else {}
    where = {"Resource": "*"} if not elements.keys() & {"Resource", "NotResource"} else {}
    return {"Version": version, "Statement": [{"Effect": effect, **named, **where, **elements}]}


def one(document: dict[str, Any], action: str = "iam:GetUser", resource: str = USER, **context: list[str]) -> Decision:
    """What one policy says; context keys are written with _ for the colon."""
    return decide([document], action, resource, {key.replace("_", ":", 1): value for key, value in context.items()})


def test_nothing_is_allowed_by_default() -> None:
    """Without a statement that concerns the request, the answer is an implicit deny."""
    assert decide([], "iam:GetUser", USER, {}) is IMPLICIT
    assert one(policy(Action="s3:*")) is IMPLICIT


def test_one_allow_suffices() -> None:
    """Policies add up."""
    assert decide([policy(Action="s3:*"), policy(Action="iam:*")], "iam:GetUser", USER, {}) is ALLOWED


def test_an_explicit_deny_beats_every_allow() -> None:
    """Wherever it stands, a boundary and a session included."""
    allow, deny = policy(), policy("Deny", Action="iam:Get*")
    assert decide([allow, deny, allow], "iam:GetUser", USER, {}) is DENIED
    assert decide_bounded([allow], deny, "iam:GetUser", USER, {}) is DENIED
    assert decide_limited([allow], [[allow], [allow, deny]], "iam:GetUser", USER, {}) is DENIED


def test_a_boundary_grants_nothing() -> None:
    """It takes the intersection with what identity policies grant."""
    assert decide_bounded([], policy(), "iam:GetUser", USER, {}) is IMPLICIT
    assert decide_bounded([policy()], policy(Action="s3:*"), "iam:GetUser", USER, {}) is IMPLICIT
    assert decide_bounded([policy()], policy(Action="iam:*"), "iam:GetUser", USER, {}) is ALLOWED


def test_session_policies_are_a_limit_of_their_own() -> None:
    """They add up among each other and intersect with the identity's and with the boundary."""
    session = [policy(Action="iam:Get*"), policy(Action="iam:List*")]
    assert decide_limited([policy()], [session], "iam:ListUsers", "*", {}) is ALLOWED
    assert decide_limited([policy()], [session], "iam:CreateUser", USER, {}) is IMPLICIT
    assert decide_limited([policy()], [session, [policy(Action="iam:Get*")]], "iam:ListUsers", "*", {}) is IMPLICIT
    assert decide_limited([policy()], [[]], "iam:GetUser", USER, {}) is IMPLICIT


def test_not_action_allows_all_others() -> None:
    """NotAction concerns every action that it does not name, of any service."""
    document = policy(NotAction=["iam:*", "s3:Get*"])
    assert one(document, "s3:PutObject") is ALLOWED
    assert one(document, "s3:GetObject") is IMPLICIT
    assert one(document, "iam:GetUser") is IMPLICIT


def test_not_resource_means_all_others() -> None:
    """NotResource concerns every resource that it does not name."""
    document = policy(NotResource="arn:aws:iam::*:user/team/*")
    assert one(document) is IMPLICIT
    assert one(document, resource="arn:aws:iam::123456789012:user/ada") is ALLOWED


def test_a_variable_without_value_concerns_nothing() -> None:
    """Neither as a Resource nor, which would be everything, as a NotResource."""
    for element in ("Resource", "NotResource"):
        assert one(policy(**{element: "arn:aws:iam::*:user/${aws:username}"})) is IMPLICIT


def test_a_variable_may_have_a_default() -> None:
    """The default steps in for an absent key only."""
    document = policy(Resource="arn:aws:iam::*:user/${aws:PrincipalTag/path, 'team'}/ada")
    assert one(document) is ALLOWED
    assert decide([document], "iam:GetUser", USER, {"aws:PrincipalTag/path": ["other"]}) is IMPLICIT


def test_variables_are_of_the_later_version() -> None:
    """In documents of 2008, and without a version, ${...} is ordinary text."""
    for version in ("2008-10-17", None):
        document = policy(version=version, Resource="arn:aws:iam::*:user/team/${aws:username}")
        assert one(document, aws_username=["ada"]) is IMPLICIT
    assert one(policy(Resource="arn:aws:iam::*:user/team/${AWS:UserName}"), aws_username=["ada"]) is ALLOWED


def test_escapes_stand_for_the_characters() -> None:
    """${*}, ${?} and ${$} are no wildcards."""
    document = policy(Resource="arn:aws:s3:::b/${*}${?}${$}")
    assert one(document, resource="arn:aws:s3:::b/*?$") is ALLOWED
    assert one(document, resource="arn:aws:s3:::b/xyz") is IMPLICIT


def test_wildcards_stay_within_their_part_of_an_arn() -> None:
    """A star in the account part does not swallow the rest; one in the last part also matches colons and slashes."""
    assert one(policy(Resource="arn:aws:iam::*:user/team/ada")) is ALLOWED
    assert one(policy(Resource="arn:aws:s3:*:*:x"), resource="arn:aws:s3:a:b:c:x") is IMPLICIT
    assert one(policy(Resource="arn:aws:logs:*:*:*"), resource="arn:aws:logs:r:1:group:a:b/c") is ALLOWED
    assert one(policy(Resource="*")) is ALLOWED


@pytest.mark.parametrize(
    ("operator", "wanted", "actual", "holds"),
    [
        ("StringEquals", "ada", ["ada"], True),
        ("StringEquals", "a*", ["ada"], False),
        ("StringNotEquals", ["a", "b"], ["c"], True),
        ("StringNotEquals", ["a", "b"], ["b"], False),
        ("StringEqualsIgnoreCase", "ADA", ["ada"], True),
        ("StringNotEqualsIgnoreCase", "ADA", ["ada"], False),
        ("StringLike", "a?a", ["ada"], True),
        ("StringNotLike", "a*", ["ada"], False),
        ("ArnEquals", "arn:aws:iam::*:user/*", [USER], True),
        ("ArnLike", "arn:aws:iam::*:role/*", [USER], False),
        ("ArnNotLike", "arn:aws:iam::*:role/*", [USER], True),
        ("ArnNotEquals", "arn:aws:iam::*:user/*", [USER], False),
        ("Bool", True, ["true"], True),
        ("Bool", "false", ["true"], False),
        ("IpAddress", ["10.0.0.0/8", "2001:db8::/32"], ["2001:db8::1"], True),
        ("IpAddress", "10.0.0.0/8", ["192.0.2.1"], False),
        ("NotIpAddress", "10.0.0.0/8", ["192.0.2.1"], True),
        ("NumericEquals", 5, ["5.0"], True),
        ("NumericNotEquals", "5", ["6"], True),
        ("NumericLessThanEquals", "5", ["5"], True),
        ("NumericGreaterThan", "5", ["5"], False),
        ("DateEquals", "2026-01-01T00:00:00Z", ["1767225600"], True),
        ("DateLessThan", "2026-01-01", ["2025-12-31T23:59:59Z"], True),
        ("DateGreaterThanEquals", "2026-01-01T01:00:00+01:00", ["2026-01-01T00:00:00Z"], True),
        ("DateNotEquals", "2026-01-01", ["2026-01-01T00:00:00Z"], False),
        ("BinaryEquals", "QQ==", ["QQ=="], True),
        ("Null", "false", ["x"], True),
        ("Null", "true", ["x"], False),
    ],
)
def test_each_operator(operator: str, wanted: Any, actual: list[str], holds: bool) -> None:
    """Each operator compares as its name says; several values in a policy are alternatives."""
    assert conditions_hold({operator: {"k": wanted}}, Facts({"K": actual})) is holds


@pytest.mark.parametrize(
    ("operator", "holds"),
    [
        ("StringEquals", False),
        ("StringNotEquals", True),
        ("StringEqualsIfExists", True),
        ("StringNotEqualsIfExists", True),
        ("ForAllValues:StringEquals", True),
        ("ForAllValues:StringNotEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
        ("ForAnyValue:StringEqualsIfExists", True),
        ("NumericLessThan", False),
        ("Bool", False),
        ("BoolIfExists", True),
        ("ArnNotLike", True),
        ("NotIpAddress", True),
        ("StringAlmost", False),
        ("StringAlmostIfExists", False),
        ("ForSomeValues:StringEquals", False),
    ],
)
def test_an_absent_key(operator: str, holds: bool) -> None:
    """It satisfies negations, IfExists and ForAllValues, and never ForAnyValue; unknown operators hold never."""
    assert conditions_hold({operator: {"k": "1"}}, Facts({})) is holds
    assert conditions_hold({operator: {"k": "1"}}, Facts({"k": []})) is holds


@pytest.mark.parametrize(
    ("operator", "actual", "holds"),
    [
        ("ForAllValues:StringEquals", ["a", "b"], True),
        ("ForAllValues:StringEquals", ["a", "c"], False),
        ("ForAnyValue:StringEquals", ["c", "b"], True),
        ("ForAnyValue:StringEquals", ["c", "d"], False),
        ("ForAllValues:StringNotEquals", ["c", "d"], True),
        ("ForAllValues:StringNotEquals", ["c", "a"], False),
        ("ForAnyValue:StringNotEquals", ["a", "c"], True),
        ("ForAnyValue:StringNotEquals", ["a", "b"], False),
        ("StringNotEquals", ["a", "c"], False),
    ],
)
def test_many_values(operator: str, actual: list[str], holds: bool) -> None:
    """ForAllValues asks each value of the request, ForAnyValue looks for one, also when negated."""
    assert conditions_hold({operator: {"k": ["a", "b"]}}, Facts({"k": actual})) is holds


@pytest.mark.parametrize(
    "operator", ["NumericLessThan", "NumericNotEquals", "DateLessThan", "IpAddress", "NotIpAddress"]
)
def test_what_cannot_be_compared_holds_never(operator: str) -> None:
    """A word in the place of a number, a date or an address satisfies neither an operator nor its opposite."""
    assert not conditions_hold({operator: {"k": "word"}}, Facts({"k": ["other"]}))


def test_all_conditions_must_hold() -> None:
    """Operators and keys are joined by and, the values of one key by or."""
    facts = Facts({"a": ["1"], "b": ["2"]})
    assert conditions_hold({"StringEquals": {"a": ["0", "1"], "b": "2"}, "Null": {"c": "true"}}, facts)
    assert not conditions_hold({"StringEquals": {"a": "1", "b": "3"}}, facts)
    assert not conditions_hold({"StringEquals": {"a": "1"}, "Null": {"b": "true"}}, facts)


def test_variables_work_in_conditions() -> None:
    """The value that a tag must have can be the caller's own."""
    condition = {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}
    tags = {"aws:ResourceTag/team": ["core"], "aws:PrincipalTag/team": ["core"]}
    assert decide([policy(Condition=condition)], "iam:GetUser", USER, tags) is ALLOWED
    assert decide([policy(Condition=condition)], "iam:GetUser", USER, {"aws:ResourceTag/team": ["core"]}) is IMPLICIT


def test_a_policy_tells_its_keys_and_its_say() -> None:
    """What a simulation reports: the condition keys asked for, and whether a policy mattered."""
    document = policy(Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}, "Null": {"aws:TagKeys": "true"}})
    assert condition_keys([document]) == {"aws:MultiFactorAuthPresent", "aws:TagKeys"}
    assert not has_say(document, "iam:GetUser", USER, {})
    assert has_say(policy("Deny"), "iam:GetUser", USER, {})


NAMES = st.text("ab*?", min_size=0, max_size=5)
VALUES = st.text("ab*?/", min_size=0, max_size=5)
ACTIONS = st.sampled_from(["iam:GetUser", "iam:CreateUser", "s3:GetObject"])
STATEMENTS = st.builds(
    lambda effect, action, resource, negated: policy(
        effect, **({"NotAction": action} if negated else {"Action": action}), Resource=resource
    ),
    st.sampled_from(["Allow", "Deny"]),
    st.sampled_from(["*", "iam:*", "iam:Get*", "s3:GetObject"]),
    st.sampled_from(["*", USER, "arn:aws:iam::*:user/*", "arn:aws:s3:::b"]),
    st.booleans(),
)
POLICIES = st.lists(STATEMENTS, max_size=4)


@given(NAMES, st.text("ab", max_size=5))
def test_wildcards_match_as_a_shell_does(pattern: str, text: str) -> None:
    """Stars stand for any run of characters and question marks for one."""
    assert like(pattern, text, Facts({})) is fnmatchcase(text, pattern)


@given(VALUES, VALUES)
def test_a_value_is_never_a_wildcard(value: str, other: str) -> None:
    """Whatever a variable stands for is compared as it is."""
    assert like("${k}", other, Facts({"k": [value]})) is (value == other)


@given(st.lists(st.text("ab/", min_size=1, max_size=3), min_size=6, max_size=6))
def test_an_arn_is_like_itself(parts: list[str]) -> None:
    """An ARN without wildcards matches itself, and so does one with a star in each part."""
    arn = ":".join(parts)
    assert arn_like(arn, arn, Facts({}))
    assert arn_like(":".join("*" * 6), arn, Facts({}))


@given(POLICIES, ACTIONS, st.randoms())
def test_the_order_of_policies_does_not_matter(policies: list[dict[str, Any]], action: str, random: Any) -> None:
    """Shuffled policies decide alike."""
    shuffled = random.sample(policies, len(policies))
    assert decide(shuffled, action, USER, {}) is decide(policies, action, USER, {})


@given(POLICIES, STATEMENTS, ACTIONS)
def test_a_further_policy_moves_one_way(policies: list[dict[str, Any]], more: dict[str, Any], action: str) -> None:
    """A Deny never allows more, and an Allow never less."""
    before, after = decide(policies, action, USER, {}), decide([*policies, more], action, USER, {})
    if more["Statement"][0]["Effect"] == "Deny":
        assert after in {before, DENIED}
    else:
        assert after is before or (before, after) == (IMPLICIT, ALLOWED)


@given(POLICIES, POLICIES, POLICIES, ACTIONS)
def test_limits_only_take_away(
    policies: list[dict[str, Any]], boundary: list[dict[str, Any]], session: list[dict[str, Any]], action: str
) -> None:
    """What is allowed within limits is allowed by the identity and by every limit, and the other way round."""
    limited = decide_limited(policies, [boundary, session], action, USER, {})
    each = [decide(some, action, USER, {}) for some in (policies, boundary, session)]
    assert (limited is ALLOWED) == all(decision is ALLOWED for decision in each)
    assert (limited is DENIED) == (DENIED in each)


@given(STATEMENTS, ACTIONS)
def test_not_action_is_the_complement(document: dict[str, Any], action: str) -> None:
    """A statement concerns an action either as Action or as NotAction."""
    statement = document["Statement"][0]
    actions = statement.get("Action", statement.get("NotAction"))
    named = {key: value for key, value in statement.items() if key not in {"Action", "NotAction"}}
    concerned = [
        has_say({"Statement": [{**named, element: actions, "Resource": "*"}]}, action, USER, {})
        for element in ("Action", "NotAction")
    ]
    assert sorted(concerned) == [False, True]
