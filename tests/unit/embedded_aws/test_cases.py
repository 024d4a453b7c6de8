"""Known outcomes of AWS: the embedded account gives every one, plain moto the share that the guide tells."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from embedded_aws import EmbeddedAws, Fault
from tests.unit.embedded_aws.cases import Run, read_cases

KNOWN = read_cases("iam_cases.json")
FURTHER = read_cases("further_cases.json")
GUIDE = Path(__file__).parents[3] / "docs" / "embedded-aws.md"
ROW = re.compile(r"\| (?P<subject>[^|]+?) +\| +(?P<cases>\d+) \| +(?P<embedded>\d+) \| +(?P<moto>\d+) \|")
PLAIN = {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "secret"}
TOTAL = "all"


@pytest.mark.parametrize("case", [*KNOWN, *FURTHER], ids=lambda case: case["id"])
def test_the_embedded_account_answers_as_aws_does(aws: EmbeddedAws, client: Any, case: Mapping[str, Any]) -> None:
    """Code and HTTP status of an error, or the fields of a success, are AWS's."""

    def signed(service: str, key: Mapping[str, str] | None) -> Any:
        return client(service, key["AccessKeyId"], key["SecretAccessKey"]) if key else client(service)

    Run(signed, lambda fault: aws.inject(Fault.from_json(fault))).carry_out(case)


def test_all_58_known_cases_are_here() -> None:
    """No case is lost or told twice."""
    assert len({case["id"] for case in KNOWN}) == 58
    assert len({case["id"] for case in [*KNOWN, *FURTHER]}) == len(KNOWN) + len(FURTHER)


class PlainMoto:
    """moto's own server in a child process."""

    def __init__(self) -> None:
        """Start it."""
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("plain_moto.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._endpoint_url = f"http://127.0.0.1:{int(self._read())}"
        self._clients: dict[Any, Any] = {}

    def empty(self) -> None:
        """Forget what earlier cases made."""
        assert self._process.stdin is not None
        self._process.stdin.write("empty\n")
        self._process.stdin.flush()
        assert self._read() == "empty"

    def client(self, service: Any, key: Mapping[str, str] | None) -> Any:
        """Make a client, or take the one of this key."""
        key = key or PLAIN
        name = service, key["AccessKeyId"]
        if name not in self._clients:
            self._clients[name] = boto3.client(
                service,
                endpoint_url=self._endpoint_url,
                region_name="us-east-1",
                aws_access_key_id=key["AccessKeyId"],
                aws_secret_access_key=key["SecretAccessKey"],
                config=Config(proxies={}, parameter_validation=False, retries={"total_max_attempts": 1}),
            )
        return self._clients[name]

    def passes(self, case: Mapping[str, Any]) -> bool:
        """Whether it gives AWS's outcome; it cannot be told to act out what takes time on AWS."""
        self.empty()
        try:
            Run(self.client, lambda fault: None).carry_out(case)
        except (AssertionError, KeyError, TypeError):
            return False
        return True

    def stop(self) -> None:
        """End the child."""
        self._process.communicate(timeout=10)

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@pytest.fixture
def moto() -> Iterator[PlainMoto]:
    """Plain moto."""
    moto = PlainMoto()
    yield moto
    moto.stop()


def test_the_guides_table_is_true(moto: PlainMoto) -> None:
    """The guide says for each subject how many outcomes there are, and how many of them plain moto gives."""
    told = {row["subject"]: tuple(int(row[n]) for n in ("cases", "moto")) for row in ROW.finditer(GUIDE.read_text())}
    cases: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    for case in [*KNOWN, *FURTHER]:
        passes = moto.passes(case)
        kind = "the 58 known cases" if case in KNOWN else "further cases"
        for subject in (case["subject"], kind, TOTAL):
            cases[subject] += 1
            passed[subject] += passes
    measured = {subject: (count, passed[subject]) for subject, count in cases.items()}
    assert told == measured, "\n".join(f"| {s} | {n} | {n} | {m} |" for s, (n, m) in measured.items())


def test_the_guide_claims_every_case() -> None:
    """In each row the embedded account gives all outcomes; the test of each case above is what shows it."""
    rows = list(ROW.finditer(GUIDE.read_text()))
    assert rows
    assert all(row["cases"] == row["embedded"] for row in rows)
