"""The figures of `make security`: each part is run as a program of its own, and what it says is counted."""

import importlib
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
CERTIFICATES = Path("tests/integration/test_bad_certificates.py")
ROTATION = Path("tests/integration/test_certificate_rotation.py")
TRIED = re.compile(
    r"test_((a_bad_certificate|no_certificate|clear_text|tls_1_2)\w*_gets_nowhere"
    r"|(an_authority_that_is_taken_away|a_certificate_that_expires)_is_refused)"
)
ESCALATION = (
    "tests/security/test_role_policy.py",
    "tests/security/test_denials.py",
    "tests/security/test_service_guards.py",
)
TABLES = {
    "test_the_roles_own_policy_refuses": ("tests.security.paths", "PATHS"),
    "test_the_service_refuses": ("tests.security.test_service_guards", "ATTACKS"),
}
"""The tests that refuse a way to more rights, and the table whose index stands first in a case's parameters."""
LEAST_KINDS, LEAST_CELLS, LEAST_PLACES, LEAST_PATHS = 25, 100_000, 1000, 20
SECONDS = 1800


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    name: str
    value: str
    good: bool


def missing(name: str, problem: str) -> Figure:
    """Say that a part has no figure, which is as bad as a wrong one."""
    return Figure(name, f"MISSING: {problem}", good=False)


@dataclass(frozen=True)
class Tests:
    """What pytest says of some files: the cases by how they ended."""

    passed: tuple[str, ...]
    failed: tuple[str, ...]


def run_tests(files: Sequence[str | Path]) -> Tests:
    """Run test files; a case is written `name[parameters]`. A run that collects nothing has neither."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
        run_program([*command, *map(str, files)])
        return read_report(report.read_text()) if report.exists() else Tests((), ())


def read_report(document: str) -> Tests:
    """Read the XML that pytest writes; a skipped case counts as failed, since nothing was tried."""
    passed: list[str] = []
    failed: list[str] = []
    for case in ElementTree.fromstring(document).iter("testcase"):  # noqa: S314 - pytest, started here, wrote it
        bad = any(case.find(kind) is not None for kind in ("failure", "error", "skipped"))
        (failed if bad else passed).append(case.get("name", ""))
    return Tests(tuple(passed), tuple(failed))


def run_program(command: Sequence[str]) -> str:
    """Run a program from the project's folder, its standard error shown; return its standard output."""
    print(f"security: {' '.join(command[1:])}", file=sys.stderr, flush=True)
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, timeout=SECONDS, check=False)
    return done.stdout.decode()


def certificates() -> list[Figure]:
    """Count the kinds of bad certificates, and those of them that got nowhere."""
    name = "kinds of bad certificates tried / refused"
    tests = run_tests([CERTIFICATES, ROTATION])
    tried = [case for case in (*tests.passed, *tests.failed) if TRIED.match(case)]
    refused = [case for case in tests.passed if TRIED.match(case)]
    if not tried:
        return [missing(name, str(CERTIFICATES))]
    good = len(tried) == len(refused) >= LEAST_KINDS and not tests.failed
    return [Figure(name, f"{len(tried)} / {len(refused)}", good)]


def escalation() -> list[Figure]:
    """Count the ways to more rights that were refused, by the guard that refused them, from the tests of both sides."""
    absent = [file for file in ESCALATION if not (ROOT / file).exists()]
    if absent:
        return [missing("escalation paths refused", ", ".join(absent))]
    tests = run_tests(ESCALATION)
    figures = [
        Figure(f"escalation paths refused by {guard}", str(count), good=count > 0)
        for guard, count in sorted(paths_by_guard(tests.passed).items())
    ]
    total = len([case for case in tests.passed if is_path(case)])
    figures.append(Figure("escalation paths refused, all", str(total), total >= LEAST_PATHS and not tests.failed))
    return figures


def is_path(case: str) -> bool:
    """Tell whether a case is a way to more rights that is refused, rather than a check of the tests themselves."""
    return case.partition("[")[0] in TABLES


def paths_by_guard(cases: Sequence[str]) -> Mapping[str, int]:
    """Count the refused ways of each guard, as the tests' own tables name them: a way may have several guards."""
    guards: Counter[str] = Counter()
    for test, parameter in (case.partition("[")[::2] for case in cases if is_path(case)):
        module, table = TABLES[test]
        way = getattr(importlib.import_module(module), table)[int(parameter.partition("-")[0])]
        guards.update(guards_of(way))
    return guards


def guards_of(way: Any) -> tuple[str, ...]:
    """Name the guards of a way: the service's own, or the statement of the role's policy."""
    if hasattr(way, "guards"):
        return tuple(f"the service: {guard}" for guard in way.guards)
    return (f"the role's policy: {way.guard or 'nothing allows it'}",)


def canaries() -> list[Figure]:
    """Read how many places were searched for secrets, and the hits."""
    name = "canary locations searched / hits"
    try:
        report = json.loads(run_program([sys.executable, "-m", "tests.security.canaries", "--json"]))
    except ValueError:
        return [missing(name, "the run has ended without a report")]
    good = report["places"] >= LEAST_PLACES and not report["hits"] and not report["problems"]
    return [Figure(name, f"{report['places']} / {len(report['hits'])}", good)]


def cells() -> list[Figure]:
    """Read how many caller x RPC x resource cells were compared with the oracle, and the mismatches."""
    name = "authorization cells compared with the oracle / mismatches"
    if not (ROOT / "tests/security/cells.py").exists():
        return [missing(name, "tests/security/cells.py")]
    output = run_program([sys.executable, "-m", "tests.security.cells"])
    return [read_cells(name, output)]


def read_cells(name: str, output: str) -> Figure:
    """Read `cells=... mismatches=...`."""
    found = re.search(r"\bcells=(\d+) mismatches=(\d+)", output)
    if found is None:
        return missing(name, "no figures were printed")
    compared, mismatches = int(found[1]), int(found[2])
    return Figure(name, f"{compared} / {mismatches}", compared >= LEAST_CELLS and mismatches == 0)


PARTS: tuple[Callable[[], list[Figure]], ...] = (certificates, escalation, cells, canaries)
"""What is collected, in the table's order."""
