"""The commands `identity-service authz`: check the authorization files, and explain a decision.

Exit codes: 0 if the files are good, or the call is allowed; 2 for mistakes in files and options; 3 if it is denied.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from identity_service.adapters.authorization import AuthorizationFileError, FileAuthorizer
from identity_service.adapters.authorization.rules import Rules, Verdict
from identity_service.adapters.authorization.schema import rpc_actions
from identity_service.adapters.authorization.stored_plan import PlanFileError, read_proposal
from identity_service.domain.caller import Caller
from identity_service.domain.target import Target, TargetKind
from identity_service.rpc.services import RPC_NAMES
from identity_service.settings import PREFIX

EXIT_WRONG = 2
EXIT_DENIED = 3
VARIABLE = f"{PREFIX}AUTHORIZATION_DIR"


class _OptionError(Exception):
    """An option that cannot be used."""


def add_authz_parser(commands: Any) -> None:
    """Add the commands to the parser's subcommands."""
    authz = commands.add_parser(
        "authz",
        help="check the authorization files, or explain a decision",
        description="Look at authorization without serving. The files are those of --folder, else of "
        f"{VARIABLE}; no other setting is read, and AWS is not asked.",
    )
    folder = argparse.ArgumentParser(add_help=False)
    folder.add_argument("--folder", type=Path, metavar="FOLDER", help=f"instead of {VARIABLE}")
    verbs = authz.add_subparsers(dest="verb", metavar="VERB", required=True)
    verbs.add_parser(
        "check",
        parents=[folder],
        help="validate the files; for the CI of whoever writes them",
        description="Validate the files, and say line by line what is wrong. Exit code 0 if nothing is, else 2.",
    )
    explain = verbs.add_parser(
        "explain",
        parents=[folder],
        help="say what decides about a call",
        description="Say what decides about a call: each policy and guard rail. Without a plan, only whether the RPC "
        "may be called; with one, on each of its steps as well. Exit code 0 if all is allowed, 3 if something is not.",
    )
    explain.add_argument("--caller", required=True, metavar="ID", help="the caller's SPIFFE id")
    explain.add_argument("--action", required=True, metavar="RPC", help="such as ProvisionUser")
    explain.add_argument("--account", required=True, metavar="ID", help="the AWS account, 12 digits")
    explain.add_argument("--target", metavar="KIND:NAME", help="user:NAME, group:NAME or policy:ARN")
    explain.add_argument(
        "--plan",
        type=Path,
        metavar="FILE",
        help='JSON: {"steps": [{"iam_action": "iam:...", ...}]}, with "user", "tags", "copied_from" as they are',
    )


def run_authz(options: argparse.Namespace) -> int:
    """Run a command; return the exit code."""
    try:
        rules = FileAuthorizer(_folder(options)).rules
        return _check(rules) if options.verb == "check" else _explain(rules, options)
    except (AuthorizationFileError, PlanFileError, _OptionError) as error:
        for line in str(error).splitlines():
            print(f"identity-service: {line}", file=sys.stderr)
        return EXIT_WRONG


def _folder(options: argparse.Namespace) -> Path:
    folder = options.folder or os.environ.get(VARIABLE)
    if not folder:
        raise _OptionError(f"say which files: --folder FOLDER, or {VARIABLE}")
    return Path(folder)


def _check(rules: Rules) -> int:
    unlike = rpc_actions() ^ RPC_NAMES
    if unlike:
        raise AuthorizationFileError(f"the schema's actions are not the contract's RPCs: {', '.join(sorted(unlike))}")
    teams, callers, policies = rules.size
    print(f"good: {teams} teams, {callers} callers, {policies} policies")
    return 0


def _explain(rules: Rules, options: argparse.Namespace) -> int:
    if options.action not in RPC_NAMES:
        raise _OptionError(f"--action: there is no RPC {options.action!r}")
    team = rules.team_of(options.caller)
    if team is None:
        print(f"{options.caller} is nobody's caller: everything is denied")
        return EXIT_DENIED
    caller = Caller(options.caller, team)
    print(f"{caller.id} acts for {team}")
    verdicts = list(_verdicts(rules, caller, options))
    for verdict in verdicts:
        print(f"  {'allowed' if verdict.allowed else 'DENIED '}  {verdict.action} on {verdict.about}")
        for by in verdict.decided_by:
            print(f"           {by}")
    denied = next((verdict for verdict in verdicts if not verdict.allowed), None)
    if denied is None:
        print("allowed" if options.plan else "allowed to ask; give --plan to see what it may have")
        return 0
    print(f"denied; the caller is told: rule={denied.rule}")
    return EXIT_DENIED


def _verdicts(rules: Rules, caller: Caller, options: argparse.Namespace) -> Iterator[Verdict]:
    target = _target(options.target)
    if options.plan is None:
        return rules.about_rpc(caller, options.action, options.account, target)
    if target is None:
        raise _OptionError("--target: say what the plan is about")
    return rules.about_plan(caller, read_proposal(_json(options.plan), options.action, options.account, target))


def _target(text: str | None) -> Target | None:
    if text is None:
        return None
    kind, colon, name = text.partition(":")
    if not colon or not name or kind not in {each.value for each in TargetKind}:
        raise _OptionError("--target: must be user:NAME, group:NAME or policy:ARN")
    return Target(TargetKind(kind), name)


def _json(file: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise PlanFileError(f"{file}: {error.strerror}") from None
    except ValueError:
        raise PlanFileError(f"{file}: this is no JSON") from None
    if not isinstance(document, dict):
        raise PlanFileError(f"{file}: must be an object")
    return document
