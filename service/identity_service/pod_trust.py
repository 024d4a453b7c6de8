"""Whom the server's own role trusts on EKS: the pods of one ServiceAccount, by Pod Identity or by IRSA."""

import re

from identity_service.iam_policy import Document, PolicyOptionError

SERVICE_ACCOUNT = "identity-service/identity-service"
"""Namespace and name in the manifests of k8s/."""

_NAME = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?"
_CLUSTER_ARN = r"arn:aws(-[a-z]+)*:eks:[a-z0-9-]+:[0-9]{12}:cluster/[A-Za-z0-9][A-Za-z0-9_-]{0,99}"
_PROVIDER_ARN = r"arn:aws(?:-[a-z]+)*:iam::[0-9]{12}:oidc-provider/([A-Za-z0-9.-]+(?:/[A-Za-z0-9_.-]+)*)"


def pod_identity_trust(cluster_arn: str, service_account: str = SERVICE_ACCOUNT) -> Document:
    """Return the trust policy under EKS Pod Identity: that cluster's pods of the ServiceAccount, nobody else.

    It goes by the tags that EKS sets on the session, so that the association must not disable them.
    `service_account` is NAMESPACE/NAME. Raises PolicyOptionError.
    """
    _match("--trust-pod-identity: must be the ARN of an EKS cluster", _CLUSTER_ARN, cluster_arn)
    namespace, name = _parts(service_account)
    tags = {
        "aws:RequestTag/eks-cluster-arn": cluster_arn,
        "aws:RequestTag/kubernetes-namespace": namespace,
        "aws:RequestTag/kubernetes-service-account": name,
    }
    return _trust({"Service": "pods.eks.amazonaws.com"}, ["sts:AssumeRole", "sts:TagSession"], tags)


def irsa_trust(provider_arn: str, service_account: str = SERVICE_ACCOUNT) -> Document:
    """Return the trust policy under IRSA: tokens of the ServiceAccount, from one cluster's OIDC provider, for STS.

    `service_account` is NAMESPACE/NAME. Raises PolicyOptionError.
    """
    provider = _match("--trust-irsa: must be the ARN of an OIDC provider in IAM", _PROVIDER_ARN, provider_arn)
    namespace, name = _parts(service_account)
    claims = {
        f"{provider[1]}:aud": "sts.amazonaws.com",
        f"{provider[1]}:sub": f"system:serviceaccount:{namespace}:{name}",
    }
    return _trust({"Federated": provider_arn}, "sts:AssumeRoleWithWebIdentity", claims)


def _parts(service_account: str) -> tuple[str, str]:
    _match("--service-account: must be NAMESPACE/NAME", f"{_NAME}/{_NAME}", service_account)
    namespace, _, name = service_account.partition("/")
    return namespace, name


def _match(problem: str, pattern: str, text: str) -> re.Match[str]:
    # Wildcards match nowhere: IAM would read one as itself here, and let nobody in.
    found = re.fullmatch(pattern, text, re.ASCII)
    if found is None:
        raise PolicyOptionError(problem)
    return found


def _trust(principal: Document, actions: str | list[str], equal: dict[str, str]) -> Document:
    statement = {
        "Sid": "TrustThePods",
        "Effect": "Allow",
        "Principal": principal,
        "Action": actions,
        "Condition": {"StringEquals": equal},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
