"""Draws the dashboard's picture: `python tests/system/draw_dashboard.py FIGURES.json PICTURE.png`.

Runs in an environment of its own, with Matplotlib; see `make dashboard-picture`. Panels stand where Grafana puts them.
"""

import io
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import FuncFormatter, MaxNLocator
from PIL import Image

COLOURS = ("#2f6fbb", "#e07b39", "#3a9d5d", "#b2436e", "#7d5fb2", "#8a6d3b", "#2aa5a0", "#c9a227")
PAPER, CARD, EDGE, GRID = "#f3f4f6", "#ffffff", "#d9dce1", "#e5e7eb"
TEXT, FAINT, EVENT, WELL = "#24292f", "#6b7280", "#b03a3a", "#3a9d5d"
MARKS = "①②③④⑤⑥⑦⑧⑨"
WIDTH, PIXELS_PER_INCH, COLUMNS = 13.6, 118, 24
TOP, HEADLINE, PANEL, GAP = 0.62, 0.4, 2.0, 0.06
"""Heights of the title, of a headline, of a panel, and what lies between two panels; in inches, as the next ones."""
LEFT, RIGHT, ABOVE, BELOW, LEGEND = 0.5, 0.18, 0.47, 0.46, 0.28
"""What surrounds the graph in its panel: figures, title, times and legend; how far below it the legend begins."""
SCALES: Mapping[str, tuple[float, str]] = {
    "bytes": (2**20, "MiB"),
    "percentunit": (0.01, "%"),
    "reqps": (1, "per second"),
    "ops": (1, "per second"),
    "short": (1, ""),
}
Panel = Mapping[str, Any]


@dataclass(frozen=True)
class Box:
    """A place in the picture: its left lower corner and its size, in inches."""

    x: float
    y: float
    width: float
    height: float

    def part_of(self, figure: Figure) -> tuple[float, float, float, float]:
        """Return it as Matplotlib has it, in parts of the whole."""
        width, height = figure.get_size_inches()
        return self.x / width, self.y / height, self.width / width, self.height / height


def main(arguments: Sequence[str]) -> int:
    """Draw the picture; return the exit code."""
    figures = json.loads(Path(arguments[0]).read_text())
    mpl.use("Agg")
    pyplot.rcParams.update({"font.family": "DejaVu Sans", "font.size": 8, "text.color": TEXT})
    picture = _draw(figures["panels"], figures["events"])
    buffer = io.BytesIO()
    picture.savefig(buffer, dpi=PIXELS_PER_INCH, facecolor=PAPER)
    # A palette: lines on white need few colours, and a third of the bytes.
    Image.open(buffer).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(arguments[1], optimize=True)
    return 0


def _draw(panels: Sequence[Panel], events: Mapping[str, float]) -> Figure:
    tops = _tops(panels)
    height = TOP + max(tops[_row(panel)] + _height(panel) for panel in panels) + GAP
    figure = pyplot.figure(figsize=(WIDTH, height))
    times = sorted(events.values())
    told = "    ".join(
        f"{MARKS[times.index(at)]} {event}" for event, at in sorted(events.items(), key=lambda each: each[1])
    )
    middle = 1 - TOP / 2 / height
    figure.text(0.012, middle, "Identity service", size=16, weight="bold", va="center")
    figure.text(0.988, middle, told, size=9.5, color=EVENT, va="center", ha="right")
    end = max(point[0] for panel in panels for line in panel["lines"] for point in line["points"])
    for panel in panels:
        top = height - TOP - tops[_row(panel)]
        if panel["type"] == "row":
            figure.text(0.012, (top - HEADLINE * 0.6) / height, panel["title"], size=11.5, weight="bold", color=FAINT)
            continue
        left, width = (WIDTH * panel["gridPos"][side] / COLUMNS for side in ("x", "w"))
        card = Box(left + GAP, top - PANEL + GAP, width - 2 * GAP, PANEL - 2 * GAP)
        _draw_panel(figure, card, panel, times, end)
    return figure


def _row(panel: Panel) -> int:
    return int(panel["gridPos"]["y"])


def _height(panel: Panel) -> float:
    return HEADLINE if panel["type"] == "row" else PANEL


def _tops(panels: Sequence[Panel]) -> dict[int, float]:
    """Return how far below the first one each row of Grafana's begins, in inches."""
    tops: dict[int, float] = {}
    below = 0.0
    for panel in sorted(panels, key=_row):
        if _row(panel) not in tops:
            tops[_row(panel)] = below
            below += _height(panel)
    return tops


def _draw_panel(figure: Figure, card: Box, panel: Panel, events: Sequence[float], end: float) -> None:
    left, bottom, width, height = card.part_of(figure)
    round_corners = "round,pad=0,rounding_size=0.004"
    paper = FancyBboxPatch((left, bottom), width, height, boxstyle=round_corners, fc=CARD, ec=EDGE, lw=0.8, zorder=-1)
    figure.add_artist(paper)
    graph = Box(card.x + LEFT, card.y + BELOW, card.width - LEFT - RIGHT, card.height - ABOVE - BELOW)
    axes = figure.add_axes(graph.part_of(figure))
    lines = sorted(panel["lines"], key=lambda line: -max(value for _, value in line["points"]))
    highest = max(value for line in lines for _, value in line["points"])
    defaults = panel["fieldConfig"]["defaults"]
    scale, unit = _scale(defaults["unit"], highest)
    for number, line in enumerate(lines):
        minutes, values = [at / 60 for at, _ in line["points"]], [value / scale for _, value in line["points"]]
        colour = COLOURS[number % len(COLOURS)]
        axes.plot(minutes, values, color=colour, linewidth=1.4, label=line["name"], zorder=9 - min(number, 8) / 2)
        axes.fill_between(minutes, values, color=colour, alpha=0.07 if len(lines) <= 3 else 0.0, linewidth=0)
    _dress(axes, graph, panel["title"], unit, end, whole=defaults.get("decimals") == 0)
    _scale_up(axes, highest / scale)
    _mark(axes, events)
    _add_legend(figure, axes, graph)


def _scale(unit: str, highest: float) -> tuple[float, str]:
    """Return what one of the axis is, and its name; times by the longest of them."""
    if unit == "s":
        return (60, "minutes") if highest > 300 else (1, "seconds") if highest > 1 else (0.001, "milliseconds")
    return SCALES[unit]


def _dress(axes: Axes, graph: Box, title: str, unit: str, end: float, *, whole: bool) -> None:
    axes.set_facecolor(CARD)
    axes.set_title(title, loc="left", size=9.5, weight="bold", pad=13, x=-(LEFT - 0.14) / graph.width)
    axes.set_title(unit, loc="right", size=7.5, color=FAINT, pad=13)
    axes.set_xlim(0, end / 60)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda minutes, _: f"{minutes:g} min"))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=whole))
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=FAINT, labelsize=7.2, pad=3.5)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(EDGE)


def _scale_up(axes: Axes, highest: float) -> None:
    """Begin at 0, and leave room above; where nothing happened, say that it is well."""
    axes.set_ylim(0, highest * 1.12 or 1)
    if highest == 0:
        axes.yaxis.set_major_locator(MaxNLocator(1, integer=True))
        axes.text(0.5, 0.5, "none", size=10, color=WELL, ha="center", va="center", transform=axes.transAxes)


def _mark(axes: Axes, events: Sequence[float]) -> None:
    """Show when something happened."""
    for number, at in enumerate(events):
        axes.axvline(at / 60, color=EVENT, linewidth=0.7, linestyle=(0, (2, 2)), alpha=0.6, zorder=1)
        above = axes.get_xaxis_transform()
        axes.text(at / 60, 1.01, MARKS[number], size=7, color=EVENT, ha="center", va="bottom", transform=above)


def _add_legend(figure: Figure, axes: Axes, graph: Box) -> None:
    """Name the lines below the graph, the highest first; of many, those for which there is room."""
    handles, names = axes.get_legend_handles_labels()
    for shown in range(len(names), 0, -1):
        rest = len(names) - shown
        told = [*names[: shown - 1], names[shown - 1] + (f"   + {rest} more" if rest else "")]
        place = (-(LEFT - 0.14) / graph.width, -LEGEND / graph.height)
        legend = axes.legend(
            handles[:shown], told, loc="upper left", bbox_to_anchor=place, ncols=shown, fontsize=7.2, frameon=False,
            handlelength=0.9, handletextpad=0.4, columnspacing=1.1, borderpad=0, borderaxespad=0,
        )  # fmt: skip
        if legend.get_window_extent().width / figure.dpi <= graph.width + LEFT - 0.35:
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
