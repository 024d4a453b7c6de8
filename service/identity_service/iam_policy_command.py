"""The command `identity-service iam-policy`: its options, and what it prints."""

import argparse
import json
import sys
from typing import Any

from identity_service.iam_policy import Document, PolicyOptionError, PolicyOptions, policy_documents
from identity_service.pod_trust import SERVICE_ACCOUNT, irsa_trust, pod_identity_trust
from identity_service.role_trust import assume_document, trust_document
from identity_service.rpc_actions import NOT_BUILT, RPC_ACTIONS

WITHOUT_BOUNDARY = (
    "without --boundary this role can give a user of its own every right in the account; "
    "see docs/escalation.md before you use it"
)
SEVERAL = "more than one document: attach each of them to the role"


def add_iam_policy_command(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command and its options."""
    command = commands.add_parser(
        "iam-policy",
        help="print the policy that this service's role needs, and no more",
        description="Print the least-privilege policy of the role that this service acts as in an account: one JSON "
        "document, or several, one after the other, where IAM's limit of 6,144 characters makes it necessary. Reads "
        "no settings and calls nobody. docs/escalation.md says what each statement is for. --trust-pod-identity and "
        "--trust-irsa print whom the server's own role has to trust on EKS. Where the role stands in another account "
        "than the server's own role, --trust prints whom it has to trust, and --assume what the server's own role "
        "needs besides.",
    )
    subject = command.add_mutually_exclusive_group(required=True)
    subject.add_argument("--account", metavar="ID", help="the account's id, 12 digits")
    subject.add_argument(
        "--trust-pod-identity",
        metavar="CLUSTER_ARN",
        help="print the trust policy of the server's own role, for the pods of a cluster with EKS Pod Identity",
    )
    subject.add_argument(
        "--trust-irsa",
        metavar="PROVIDER_ARN",
        help="print the trust policy of the server's own role, for the pods of a cluster that has this OIDC provider",
    )
    subject.add_argument("--trust", metavar="ARN", help="print the trust policy: ARN is the server's own role")
    subject.add_argument(
        "--assume", nargs="+", action="extend", metavar="ARN", help="print what lets the server's own role assume these"
    )
    command.add_argument(
        "--service-account",
        metavar="NAMESPACE/NAME",
        help=f"with --trust-pod-identity and --trust-irsa: that of the server's pods; default: {SERVICE_ACCOUNT}",
    )
    command.add_argument("--external-id", metavar="ID", help="with --trust: what the server has to say in the account")
    command.add_argument(
        "--pod-identity",
        action="store_true",
        help="with --trust and --assume: the server's own role comes from EKS Pod Identity, whose tags go along",
    )
    command.add_argument("--partition", default="aws", choices=("aws", "aws-cn", "aws-us-gov"), help="default: aws")
    command.add_argument("--path", default="/", metavar="/PATH/", help="users are made and changed only under it")
    _add_list(command, "--boundary", "ARN", "users are made, and given rights, only within this permissions boundary")
    _add_list(command, "--allow-policy", "ARN", "managed policies that may be attached; * and ? are wildcards")
    _add_list(command, "--allow-group", "[/PATH/]NAME", "groups that may be used and made; * and ? are wildcards")
    _add_list(command, "--rpc", "NAME", "only what these RPCs use; all that this release has unless given")


def _add_list(command: argparse.ArgumentParser, option: str, metavar: str, text: str) -> None:
    command.add_argument(
        option, nargs="+", action="extend", default=[], metavar=metavar, help=f"{text}; may be given more than once"
    )


def print_iam_policy(options: argparse.Namespace) -> int:
    """Print the policy; what the operator should know besides goes to standard error. Raises PolicyOptionError."""
    _check_companions(options)
    pods = options.service_account or SERVICE_ACCOUNT
    if options.trust_pod_identity is not None:
        _print(pod_identity_trust(options.trust_pod_identity, pods))
    elif options.trust_irsa is not None:
        _print(irsa_trust(options.trust_irsa, pods))
    elif options.trust is not None:
        _print(trust_document(options.trust, options.external_id, options.pod_identity))
    elif options.assume is not None:
        _print(assume_document(tuple(dict.fromkeys(options.assume)), options.pod_identity))
    else:
        _print_role_policy(options)
    return 0


def _check_companions(options: argparse.Namespace) -> None:
    """Refuse an option beside a subject that would not heed it."""
    if options.external_id is not None and options.trust is None:
        raise PolicyOptionError("--external-id: goes with --trust")
    if options.pod_identity and options.trust is None and options.assume is None:
        raise PolicyOptionError("--pod-identity: goes with --trust and --assume")
    if options.service_account is not None and options.trust_pod_identity is None and options.trust_irsa is None:
        raise PolicyOptionError("--service-account: goes with --trust-pod-identity and --trust-irsa")


def _print_role_policy(options: argparse.Namespace) -> None:
    wanted = PolicyOptions(
        account_id=options.account,
        partition=options.partition,
        path=options.path,
        boundaries=tuple(dict.fromkeys(options.boundary)),
        allowed_policies=tuple(dict.fromkeys(options.allow_policy)),
        allowed_groups=tuple(dict.fromkeys(options.allow_group)),
        rpcs=tuple(dict.fromkeys(options.rpc)),
    )
    documents = policy_documents(wanted)
    for document in documents:
        _print(document)
    for name in sorted(NOT_BUILT & set(wanted.rpcs) & RPC_ACTIONS.keys()):
        _note(f"{name} is not built yet")
    if len(documents) > 1:
        _note(SEVERAL)
    if not wanted.boundaries and "iam:PutUserPolicy" in wanted.actions:
        _note(WITHOUT_BOUNDARY)


def _print(document: Document) -> None:
    print(json.dumps(document, indent=2))


def _note(text: str) -> None:
    print(f"identity-service: {text}", file=sys.stderr)
