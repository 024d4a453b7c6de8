"""`make k8s-check`: render overlays, check every manifest against its schema and every rule, and say what is wrong.

Exit codes: 0 nothing found, 1 something found or an overlay that does not render.
"""

import argparse
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from tests.k8s.manifests import of_kind, title
from tests.k8s.render import OVERLAYS, RenderError, render
from tests.k8s.rules import RULES, broken_rules
from tests.k8s.schemas import schema_problems


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the folders; return the exit code."""
    options = _parser().parse_args(arguments)
    if options.rules:
        for name, rule in RULES.items():
            print(f"{name}: {rule.__doc__}")
        return 0
    folders = options.folders or sorted(path for path in OVERLAYS.iterdir() if path.is_dir())
    return int(sum(_check(folder, options.kind, options.secret) for folder in folders) > 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make k8s-check", description="Check Kubernetes manifests.")
    parser.add_argument("folders", nargs="*", type=Path, help="overlays; all of k8s/overlays if none is named")
    parser.add_argument("--rules", action="store_true", help="print the rules, and check nothing")
    parser.add_argument(
        "--kind",
        action="append",
        default=[],
        help="a kind of somebody else's, such as ExternalSecret: it is noted, its fields are not checked",
    )
    parser.add_argument(
        "--secret", action="append", default=[], metavar="NAME", help="a Secret that others put into the namespace"
    )
    return parser


def _check(folder: Path, kinds: Collection[str], secrets: Collection[str]) -> int:
    """Print what is wrong with an overlay; return how much that is."""
    try:
        manifests = render(folder)
    except RenderError as error:
        print(f"{folder}: does not render: {error}")
        return 1
    problems = [f"schema: {problem}" for problem in schema_problems(manifests, kinds)]
    problems += [f"{rule}: {problem}" for rule, found in broken_rules(manifests, secrets).items() for problem in found]
    print(f"{folder.name}: {len(manifests)} manifests, {len(RULES)} rules, problems: {len(problems)}")
    for problem in problems:
        print(f"  {problem}")
    for manifest in of_kind(manifests, *kinds):
        print(f"  note: {title(manifest)}: its fields were not checked")
    return len(problems)


if __name__ == "__main__":
    sys.exit(main())
