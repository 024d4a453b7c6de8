"""A Prometheus that scrapes what a file names, as it finds the endpoints of a Service on Kubernetes."""

import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from tests.support.monitoring import JOB, NAMESPACE, rule_groups

PATIENCE = 60.0


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus that scrapes each second, and the file that tells it what."""

    address: str
    targets: Path
    began: float

    def scrape(self, pods: Mapping[str, str]) -> None:
        """Scrape these pods from now on, addresses by names, and no others."""
        found = [
            {"targets": [address], "labels": {"namespace": NAMESPACE, "instance": name}}
            for name, address in pods.items()
        ]
        # In one moment, since it is read at once.
        fresh = self.targets.with_suffix(".new")
        fresh.write_text(json.dumps(found))
        fresh.replace(self.targets)

    def ask(self, path: str, **parameters: object) -> list[dict[str, Any]]:
        """Ask its HTTP API."""
        query = urlencode({name: str(text) for name, text in parameters.items()})
        with urlopen(f"http://{self.address}/api/v1/{path}?{query}", timeout=10) as answer:
            document: dict[str, Any] = json.loads(answer.read())
        found = document["data"]
        result: list[dict[str, Any]] = found["result"] if path.startswith("query") else found["groups"]
        return result

    def graph(self, expression: str, step: int = 1) -> list[dict[str, Any]]:
        """Return a graph's lines from the start until now; without those that have no number in them."""
        lines = self.ask("query_range", query=expression, start=self.began, end=time.time(), step=step)
        return [line for line in lines if any(text != "NaN" for _, text in line["values"])]

    def is_up(self, pod: str) -> bool:
        """Tell whether a pod was scraped."""
        return bool(self.ask("query", query=f'up{{job="{JOB}", instance="{pod}"}} == 1'))


def eventually(condition: Callable[[], bool]) -> None:
    """Wait for something in another process."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)  # Another process: there is nothing to wait on but its answers.


def rules_file(folder: Path) -> Path:
    """Write the rules as Prometheus reads them, without what is Kubernetes' about them."""
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": rule_groups()}))
    return path


@contextmanager
def run_prometheus(program: str, folder: Path) -> Iterator[Prometheus]:
    """Run Prometheus with the rules, on a port that was free a moment ago: it tells nobody which one it has chosen."""
    targets = folder / "targets.json"
    targets.write_text("[]")
    settings = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules_file(folder))],
        "scrape_configs": [{"job_name": JOB, "file_sd_configs": [{"files": [str(targets)]}]}],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(settings))
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    paths = (
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={address}",
    )
    process = subprocess.Popen([program, *paths], stderr=subprocess.DEVNULL)
    found = Prometheus(address, targets, time.time())
    try:
        eventually(lambda: _answers(found))
        yield found
    finally:
        process.terminate()
        process.wait(30)


def _answers(prometheus: Prometheus) -> bool:
    try:
        return prometheus.ask("query", query="vector(1)") != []
    except OSError:
        return False
