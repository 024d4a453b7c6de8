"""The policy that `identity-service iam-policy` prints: well formed, held to what is allowed, within IAM's limits."""

import json
from typing import Any

import pytest

from embedded_aws.policy_evaluation import Decision, decide
from identity_service.__main__ import main
from identity_service.iam_policy import MAXIMUM_SIZE, PolicyOptionError, PolicyOptions, policy_documents
from identity_service.role_trust import POD_IDENTITY_TAGS
from identity_service.rpc_actions import NOT_BUILT, RPC_ACTIONS

ACCOUNT = "123456789012"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/Boundary"
CLUSTER = f"arn:aws:eks:eu-central-1:{ACCOUNT}:cluster/production"
OIDC = "oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"
DEPLOY = f"arn:aws:iam::{ACCOUNT}:policy/Deploy"


def statements(**options: Any) -> dict[str, Any]:
    """Return the statements of a policy by their Sids, which are unique in all its documents."""
    documents: list[Any] = policy_documents(PolicyOptions(ACCOUNT, **options))
    found = [statement for document in documents for statement in document["Statement"]]
    by_sid = {statement["Sid"]: statement for statement in found}
    assert len(by_sid) == len(found)
    return by_sid


def allowed(**options: Any) -> set[str]:
    """Return every action that a policy allows."""
    return {
        action
        for statement in statements(**options).values()
        if statement["Effect"] == "Allow"
        for action in statement["Action"]
    }


@pytest.mark.parametrize("rpc", sorted(RPC_ACTIONS))
def test_a_policy_for_one_rpc_allows_just_its_actions(rpc: str) -> None:
    """What the table says of an RPC is allowed, and nothing else; a boundary is removed only to undo."""
    assert allowed(rpcs=(rpc,)) == RPC_ACTIONS[rpc]
    assert allowed(rpcs=(rpc,), boundaries=(BOUNDARY,)) == RPC_ACTIONS[rpc] - {"iam:DeleteUserPermissionsBoundary"}


def test_a_policy_is_for_all_that_is_built() -> None:
    """Without names of RPCs, the policy is for all that this release has."""
    built = frozenset().union(*(RPC_ACTIONS[rpc] for rpc in RPC_ACTIONS.keys() - NOT_BUILT))
    assert allowed() == built


def test_users_are_held_to_path_boundary_and_owner() -> None:
    """Users are made and changed under the path alone, within the boundary, with an owner."""
    found = statements(path="/people/", boundaries=(BOUNDARY,))
    for sid in ("NewUsers", "TagNewUsers", "OwnedUsers", "GrantInline", "GrantManaged"):
        assert found[sid]["Resource"] == f"arn:aws:iam::{ACCOUNT}:user/people/*"
        assert set(found[sid]["Condition"]["Null"].values()) == {"false"}
    for sid in ("NewUsers", "GrantInline", "GrantManaged"):
        assert found[sid]["Condition"]["ArnEquals"] == {"iam:PermissionsBoundary": BOUNDARY}
    assert found["NeverRemoveABoundary"]["Action"] == ["iam:DeleteUserPermissionsBoundary"]
    assert found["NeverTouchABoundary"]["Resource"] == BOUNDARY


def test_an_adoption_gives_an_owner_and_nothing_else() -> None:
    """A user under the path whom nobody owns gets the owner tag alone; users who are made do not let it be taken."""
    found = statements(path="/people/", rpcs=("AdoptUser",))
    owner = "identity-provisioning:owner"
    assert found["AdoptUsers"] == {
        "Sid": "AdoptUsers",
        "Effect": "Allow",
        "Action": ["iam:TagUser"],
        "Resource": f"arn:aws:iam::{ACCOUNT}:user/people/*",
        "Condition": {
            "Null": {f"aws:RequestTag/{owner}": "false", f"aws:ResourceTag/{owner}": "true"},
            "ForAllValues:StringEquals": {"aws:TagKeys": owner},
        },
    }
    assert "TagNewUsers" not in found
    assert "AdoptUsers" not in statements(rpcs=("CreateUser", "UpdateUser"))


def test_policies_and_groups_are_held_to_the_allowed_ones() -> None:
    """Only allowed policies are attached, and that of a forced password reset; only allowed groups are used."""
    found = statements(allowed_policies=(DEPLOY,), allowed_groups=("Developers", "/teams/*"))
    reset = "arn:aws:iam::aws:policy/IAMUserChangePassword"
    for sid in ("GrantManaged", "GrantToGroups"):
        assert found[sid]["Condition"]["ArnLike"] == {"iam:PolicyARN": [DEPLOY, reset]}
    groups = [f"arn:aws:iam::{ACCOUNT}:group/Developers", f"arn:aws:iam::{ACCOUNT}:group/teams/*"]
    for sid in ("GroupMembers", "Groups", "GrantToGroups"):
        assert found[sid]["Resource"] == groups


def test_a_boundary_of_aws_needs_no_protection() -> None:
    """Nobody can change a policy of AWS, so only the account's own boundaries are named."""
    assert "NeverTouchABoundary" not in statements(boundaries=("arn:aws:iam::aws:policy/PowerUserAccess",))


def test_other_partitions_have_their_own_names() -> None:
    """Every ARN of a policy for China is China's."""
    text = json.dumps(policy_documents(PolicyOptions(ACCOUNT, partition="aws-cn", allowed_policies=())))
    assert "arn:aws-cn:iam" in text
    assert "arn:aws:" not in text


@pytest.mark.parametrize("count", [1, 30, 400])
def test_long_lists_are_split_within_the_limit(count: int) -> None:
    """However many policies and groups are allowed, each document fits, and all of them are there once a place."""
    policies = tuple(f"arn:aws:iam::{ACCOUNT}:policy/teams/Policy{number}" for number in range(count))
    groups = tuple(f"/teams/Group{number}" for number in range(count))
    options = PolicyOptions(ACCOUNT, allowed_policies=policies, allowed_groups=groups)
    documents: list[Any] = policy_documents(options)
    assert all(len("".join(json.dumps(document).split())) <= MAXIMUM_SIZE for document in documents)
    assert (len(documents) == 1) is (count == 1)
    found = [statement for document in documents for statement in document["Statement"]]
    sids = [statement["Sid"] for statement in found]
    assert len(set(sids)) == len(sids)
    attached = [
        (resource, arn)
        for statement in found
        if "iam:AttachGroupPolicy" in statement["Action"]
        for resource in listed(statement["Resource"])
        for arn in listed(statement["Condition"]["ArnLike"]["iam:PolicyARN"])
    ]
    assert len(attached) == len(set(attached)) == count * (count + 1)


def listed(value: str | list[str]) -> list[str]:
    """Return the values of an element, which may be one or a list."""
    return [value] if isinstance(value, str) else value


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"account_id": "12345"}, "--account"),
        ({"path": "people"}, "--path"),
        ({"path": "/people/*/"}, "--path"),
        ({"boundaries": ("Boundary",)}, "--boundary"),
        ({"boundaries": (f"arn:aws:iam::{ACCOUNT}:policy/*",)}, "--boundary"),
        ({"boundaries": (f"arn:aws-cn:iam::{ACCOUNT}:policy/Boundary",)}, "--boundary"),
        ({"allowed_policies": (f"{DEPLOY}${{aws:username}}",)}, "--allow-policy"),
        ({"allowed_groups": ("Developers ",)}, "--allow-group"),
        ({"allowed_groups": ("x" * 701,)}, "--allow-group"),
        ({"rpcs": ("MakeUser",)}, "--rpc"),
    ],
)
def test_what_would_mean_something_else_is_refused(options: dict[str, Any], named: str) -> None:
    """An option that IAM would not take, or would read otherwise, is refused by its name."""
    with pytest.raises(PolicyOptionError, match=f"^{named}: "):
        policy_documents(PolicyOptions(**{"account_id": ACCOUNT, **options}))


def test_the_command_prints_the_policy(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output has the document and nothing else; with a boundary there is nothing to warn of."""
    arguments = ["iam-policy", "--account", ACCOUNT, "--path", "/people/", "--boundary", BOUNDARY]
    assert main([*arguments, "--allow-policy", DEPLOY, "--allow-policy", DEPLOY, "--allow-group", "A", "B"]) == 0
    printed = capsys.readouterr()
    options = PolicyOptions(
        ACCOUNT, path="/people/", boundaries=(BOUNDARY,), allowed_policies=(DEPLOY,), allowed_groups=("A", "B")
    )
    assert [json.loads(printed.out)] == policy_documents(options)
    assert printed.err == ""


def test_the_command_says_what_the_operator_should_know(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a boundary, of several documents, and of RPCs that are not built, standard error has a line."""
    groups = [f"/teams/Group{number}" for number in range(200)]
    assert (
        main(["iam-policy", "--account", ACCOUNT, "--allow-group", *groups, "--rpc", "ResetPassword", "CreateGroup"])
        == 0
    )
    printed = capsys.readouterr()
    assert "ResetPassword is not built yet" in printed.err
    assert "more than one document" in printed.err
    assert main(["iam-policy", "--account", ACCOUNT]) == 0
    assert "without --boundary" in capsys.readouterr().err


def test_a_role_elsewhere_trusts_the_servers_role_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """`--trust` prints whom the role lets in, and with an external id on what condition."""
    server_role = f"arn:aws:iam::{ACCOUNT}:role/identity-service"
    assert main(["iam-policy", "--trust", server_role, "--external-id", "acme/1"]) == 0
    (statement,) = json.loads(capsys.readouterr().out)["Statement"]
    assert statement == {
        "Sid": "TrustTheServer",
        "Effect": "Allow",
        "Principal": {"AWS": server_role},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "acme/1"}},
    }
    assert main(["iam-policy", "--trust", server_role]) == 0
    assert "Condition" not in json.loads(capsys.readouterr().out)["Statement"][0]


def test_the_servers_role_may_assume_just_the_named_ones(capsys: pytest.CaptureFixture[str]) -> None:
    """`--assume` prints one statement for all roles, each once, and none that was not named."""
    roles = [f"arn:aws:iam::{account}:role/identity-service" for account in ("210987654321", "310987654321")]
    assert main(["iam-policy", "--assume", *roles, roles[0]]) == 0
    (statement,) = json.loads(capsys.readouterr().out)["Statement"]
    assert (statement["Action"], statement["Resource"]) == ("sts:AssumeRole", roles)


def test_pod_identity_adds_the_right_to_tag_with_its_tags_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """With `--pod-identity` both policies let its session tags along and no others; what lets the server in stays."""
    server_role, elsewhere = (f"arn:aws:iam::{account}:role/identity-service" for account in (ACCOUNT, "210987654321"))
    of_eks = {"aws:TagKeys": list(POD_IDENTITY_TAGS)}
    for subject in (["--assume", elsewhere], ["--trust", server_role, "--external-id", "acme/1"]):
        assert main(["iam-policy", *subject]) == 0
        (without,) = json.loads(capsys.readouterr().out)["Statement"]
        assert main(["iam-policy", *subject, "--pod-identity"]) == 0
        assume, tag = json.loads(capsys.readouterr().out)["Statement"]
        assert assume == without
        assert (tag["Action"], tag["Condition"]) == ("sts:TagSession", {"ForAllValues:StringEquals": of_eks})
        assert [tag.get(key) for key in ("Principal", "Resource")] == [
            without.get("Principal"),
            without.get("Resource"),
        ]


@pytest.mark.parametrize("service_account", [None, "people/server"])
def test_under_pod_identity_the_role_trusts_one_clusters_pods(
    service_account: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """EKS gets in with the tags of that cluster, namespace and ServiceAccount, and with those of no other."""
    assert main(["iam-policy", "--trust-pod-identity", CLUSTER, *of_pods(service_account)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [each["Principal"] for each in document["Statement"]] == [{"Service": "pods.eks.amazonaws.com"}]
    namespace, _, name = (service_account or "identity-service/identity-service").partition("/")
    tags = {"eks-cluster-arn": CLUSTER, "kubernetes-namespace": namespace, "kubernetes-service-account": name}

    def lets_in(**others: str) -> set[str]:
        context = {f"aws:RequestTag/{key}": [value] for key, value in {**tags, **others}.items()}
        return trusted(document, context)

    assert lets_in() == {"sts:AssumeRole", "sts:TagSession"}
    for key in tags:
        assert lets_in(**{key: "another"}) == set()
    assert trusted(document, {}) == set()


@pytest.mark.parametrize("service_account", [None, "people/server"])
def test_under_irsa_the_role_trusts_one_service_accounts_tokens(
    service_account: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """A token of the cluster's provider gets in with that subject, for STS, and with no other."""
    assert (
        main(["iam-policy", "--trust-irsa", f"arn:aws:iam::{ACCOUNT}:oidc-provider/{OIDC}", *of_pods(service_account)])
        == 0
    )
    document = json.loads(capsys.readouterr().out)
    provider = {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{OIDC}"}
    assert [each["Principal"] for each in document["Statement"]] == [provider]
    subject = (service_account or "identity-service/identity-service").replace("/", ":")
    claims = {f"{OIDC}:aud": ["sts.amazonaws.com"], f"{OIDC}:sub": [f"system:serviceaccount:{subject}"]}
    assert trusted(document, claims) == {"sts:AssumeRoleWithWebIdentity"}
    for key in claims:
        assert trusted(document, {**claims, key: ["another"]}) == set()
        assert trusted(document, {each: value for each, value in claims.items() if each != key}) == set()


def of_pods(service_account: str | None) -> list[str]:
    """Write the option, where a ServiceAccount is given."""
    return [] if service_account is None else ["--service-account", service_account]


def trusted(document: dict[str, Any], context: dict[str, list[str]]) -> set[str]:
    """Return the actions that a trust policy allows whom it names, as the embedded account decides it."""
    policy = {**document, "Statement": [{**each, "Resource": "*"} for each in document["Statement"]]}
    actions = {"sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:TagSession"}
    return {action for action in actions if decide([policy], action, "*", context) is Decision.ALLOWED}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--assume", "arn:aws:iam::*:role/identity-service"], "--assume: must be the ARN of a role"),
        (["--assume", "arn:aws:iam::123456789012:role/*"], "--assume: must be the ARN of a role"),
        (["--trust", "arn:aws:iam::123456789012:root"], "--trust: must be the ARN of a role"),
        (["--trust", "arn:aws:iam::123456789012:role/r", "--external-id", "x"], "--external-id: has 2 to 1,224"),
        (["--account", ACCOUNT, "--external-id", "acme"], "--external-id: goes with --trust"),
        (["--account", ACCOUNT, "--pod-identity"], "--pod-identity: goes with --trust and --assume"),
        (["--account", ACCOUNT, "--service-account", "a/b"], "--service-account: goes with --trust-pod-identity"),
        (["--trust-pod-identity", CLUSTER, "--service-account", "b"], "--service-account: must be NAMESPACE/NAME"),
        (["--trust-pod-identity", CLUSTER, "--service-account", "*/b"], "--service-account: must be NAMESPACE/NAME"),
        (["--trust-pod-identity", f"{CLUSTER}*"], "--trust-pod-identity: must be the ARN of an EKS cluster"),
        (["--trust-pod-identity", "production"], "--trust-pod-identity: must be the ARN of an EKS cluster"),
        (["--trust-irsa", f"https://{OIDC}"], "--trust-irsa: must be the ARN of an OIDC provider"),
        (["--trust-irsa", f"arn:aws:iam::{ACCOUNT}:oidc-provider/*"], "--trust-irsa: must be the ARN of an OIDC"),
    ],
)
def test_no_trust_wider_than_named_is_printed(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wildcard, a whole account and an external id that nobody would check end the command with 2."""
    assert main(["iam-policy", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"identity-service: {problem}")


def test_a_wrong_option_ends_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with 2, says which one, and prints no policy."""
    assert main(["iam-policy", "--account", "12345"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "identity-service: --account: must be 12 digits\n"
