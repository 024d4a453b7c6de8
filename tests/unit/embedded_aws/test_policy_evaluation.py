"""The decisions that policies make, without an account around them."""

from __future__ import annotations

from typing import Any

import pytest

from embedded_aws.policy_evaluation import Decision, decide, decide_bounded


def policy(effect: str = "Allow", **elements: Any) -> dict[str, Any]:
    """A policy of one statement, on everything unless told otherwise."""
    return {"Version": "2012-10-17", "Statement": {"Effect": effect, "Resource": "*", **elements}}


@pytest.mark.parametrize(
    ("elements", "allowed"),
    [
        ({"Action": "iam:CreateUser"}, True),
        ({"Action": "IAM:createuser"}, True),
        ({"Action": ["s3:*", "iam:Create*"]}, True),
        ({"Action": "iam:Create?ser"}, True),
        ({"Action": "iam:Create"}, False),
        ({"NotAction": "s3:*"}, True),
        ({"NotAction": "iam:*"}, False),
        ({"Action": "*", "Resource": "arn:aws:iam::1:user/a/*"}, True),
        ({"Action": "*", "Resource": "arn:aws:iam::1:user/A/*"}, False),
        ({"Action": "*", "Resource": "arn:aws:iam::1:user/${aws:username}/*"}, True),
        ({"Action": "*", "Resource": "arn:aws:iam::1:user/${aws:absent}*"}, False),
    ],
)
def test_actions_and_resources(elements: dict[str, Any], allowed: bool) -> None:
    """Actions match without case, resources with it; wildcards and variables work in both."""
    context = {"aws:username": ["a"]}
    decision = decide([policy(**elements)], "iam:CreateUser", "arn:aws:iam::1:user/a/b", context)
    assert decision is (Decision.ALLOWED if allowed else Decision.IMPLICIT_DENY)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"StringEquals": {"k": "v"}}, True),
        ({"StringEquals": {"K": ["x", "v"]}}, True),
        ({"StringEquals": {"k": "V"}}, False),
        ({"StringEqualsIgnoreCase": {"k": "V"}}, True),
        ({"StringNotEquals": {"k": "v"}}, False),
        ({"StringNotEquals": {"absent": "v"}}, True),
        ({"StringEquals": {"absent": "v"}}, False),
        ({"StringEqualsIfExists": {"absent": "v"}}, True),
        ({"StringLike": {"k": "v*"}}, True),
        ({"ArnLike": {"arn": "arn:aws:iam::*:policy/*"}}, True),
        ({"ArnNotLike": {"arn": "arn:aws:iam::*:policy/*"}}, False),
        ({"Bool": {"yes": True}}, True),
        ({"Null": {"absent": "true"}}, True),
        ({"Null": {"k": "true"}}, False),
        ({"NumericLessThan": {"n": "6"}}, True),
        ({"NumericGreaterThanEquals": {"n": "6"}}, False),
        ({"NumericNotEquals": {"n": "6"}}, True),
        ({"DateLessThan": {"t": "2030-01-01T00:00:00Z"}}, True),
        ({"DateGreaterThan": {"t": "1893456000"}}, False),
        ({"IpAddress": {"ip": "10.0.0.0/8"}}, True),
        ({"NotIpAddress": {"ip": ["192.0.2.0/24", "10.1.2.3"]}}, False),
        ({"ForAllValues:StringEquals": {"many": ["a", "b", "c"]}}, True),
        ({"ForAllValues:StringEquals": {"many": ["a"]}}, False),
        ({"ForAllValues:StringEquals": {"absent": ["a"]}}, True),
        ({"ForAnyValue:StringEquals": {"many": ["a"]}}, True),
        ({"ForAnyValue:StringEquals": {"absent": ["a"]}}, False),
        ({"StringEquals": {"k": "v"}, "Null": {"k": "true"}}, False),
        ({"NoSuchOperator": {"k": "v"}}, False),
    ],
)
def test_conditions(condition: dict[str, Any], holds: bool) -> None:
    """Every condition must hold; an unknown operator holds never, so that it grants nothing."""
    context = {
        "k": ["v"],
        "t": ["2026-01-01T00:00:00+00:00"],
        "ip": ["10.1.2.3"],
        "arn": ["arn:aws:iam::1:policy/p"],
        "yes": ["true"],
        "n": ["5"],
        "many": ["a", "b"],
    }
    decision = decide([policy(Action="*", Condition=condition)], "iam:CreateUser", "*", context)
    assert decision is (Decision.ALLOWED if holds else Decision.IMPLICIT_DENY)


def test_a_deny_wins_wherever_it_stands() -> None:
    """One Deny beats every Allow, before it and behind it."""
    allow, deny = policy(Action="*"), policy("Deny", Action="iam:*")
    for policies in ([allow, deny], [deny, allow]):
        assert decide(policies, "iam:CreateUser", "*", {}) is Decision.EXPLICIT_DENY
    assert decide([allow, deny], "s3:GetObject", "*", {}) is Decision.ALLOWED


def test_a_boundary_only_takes_away() -> None:
    """A boundary grants nothing by itself and denies what it does not allow."""
    everything, reading = policy(Action="*"), policy(Action="s3:Get*")
    assert decide_bounded([], everything, "s3:GetObject", "*", {}) is Decision.IMPLICIT_DENY
    assert decide_bounded([everything], reading, "s3:GetObject", "*", {}) is Decision.ALLOWED
    assert decide_bounded([everything], reading, "s3:PutObject", "*", {}) is Decision.IMPLICIT_DENY
    nothing = policy("Deny", Action="*")
    assert decide_bounded([everything], nothing, "s3:GetObject", "*", {}) is Decision.EXPLICIT_DENY
