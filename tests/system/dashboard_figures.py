"""The figures of the dashboard's picture: `python -m tests.system.dashboard_figures FILE --seconds 240`.

Puts two replicas under load, asks Prometheus what Grafana would ask it, and writes the answers down as JSON.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.monitoring import everything, fill_in
from tests.system.monitored import Load, under_load
from tests.system.prometheus import Prometheus

POINTS = 240
"""How many points a line has, at most."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the figures; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--seconds", type=float, default=240.0, help="how long the load lasts")
    options = parser.parse_args(arguments)
    program = shutil.which("prometheus")
    if program is None:
        print("prometheus is not installed; on Debian: apt-get install prometheus", file=sys.stderr)
        return 1
    with under_load(program, options.seconds) as load:
        options.file.parent.mkdir(parents=True, exist_ok=True)
        options.file.write_text(json.dumps(figures(load)))
    return 0


def figures(load: Load) -> dict[str, Any]:
    """Return panels with their lines, seconds since Prometheus has begun, and what happened when."""
    prometheus = load.replicas.prometheus
    step = max(1, round(load.seconds / POINTS))
    return {"events": load.events, "panels": [_panel(prometheus, panel, step) for panel in everything()]}


def _panel(prometheus: Prometheus, panel: dict[str, Any], step: int) -> dict[str, Any]:
    lines = [
        {
            "name": _name(target["legendFormat"], line["metric"]),
            "points": [[at - prometheus.began, float(text)] for at, text in line["values"] if text != "NaN"],
        }
        for target in panel.get("targets", ())
        for line in prometheus.graph(fill_in(target["expr"], "10s"), step)
    ]
    return {**{key: panel.get(key) for key in ("type", "title", "gridPos", "fieldConfig")}, "lines": lines}


def _name(legend: str, labels: dict[str, str]) -> str:
    for label, text in labels.items():
        legend = legend.replace(f"{{{{{label}}}}}", text)
    return legend


if __name__ == "__main__":
    sys.exit(main())
