"""Pictures of a report: intervals, confusion tables, loss curves, confidence; each an inline SVG.

Knows matplotlib and plain numbers. Colours are safe for colour-blind readers and never the only sign.
"""

import base64
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, NamedTuple, TypeVar

from prescreen.evals.calibration import COVERAGE, Point, find_bins, risk_coverage, tabulate

BLUE, ORANGE, GREY, INK = "#2166ac", "#d6604d", "#8a8f98", "#22262b"
REMEMBERED = 8  # pictures of a kind
LEVEL_NAMES = ("low", "medium", "high", "emergency")
T = TypeVar("T")


class Bar(NamedTuple):
    """One interval of a forest plot; `value` None when undefined."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    text: str


class Forest(NamedTuple):
    """One panel: a metric with an interval per system."""

    title: str
    bars: Sequence[Bar]
    more_is_better: bool


def _once(draw: Callable[[T], str]) -> Callable[[T], str]:
    """The last pictures are remembered by their figures: the gate's page shows those of the evaluation again."""
    drawn: dict[str, str] = {}

    @wraps(draw)
    def look_up(figures: T) -> str:
        key = repr(figures)
        if key not in drawn:
            if len(drawn) == REMEMBERED:
                drawn.pop(next(iter(drawn)))
            drawn[key] = draw(figures)
        return drawn[key]

    return look_up


@_once
def draw_forests(panels: Sequence[Forest]) -> str:
    """Panels side by side that share the systems' names."""
    pyplot = _pyplot()
    rows = max(len(panel.bars) for panel in panels)
    figure, axes = pyplot.subplots(
        1, len(panels), figsize=(2.7 + 2.9 * len(panels), 0.9 + 0.36 * rows), sharey=True, squeeze=False
    )
    for axis, panel in zip(axes[0], panels, strict=True):
        for row, bar in enumerate(panel.bars):
            if bar.value is None:
                axis.text(0.5, row, bar.text, va="center", ha="center", fontsize=8, color=GREY)
                continue
            if bar.low is not None and bar.high is not None:
                axis.plot([bar.low, bar.high], [row, row], color=BLUE, linewidth=2.2, solid_capstyle="round")
            axis.plot(bar.value, row, "o", color=INK, markersize=5, clip_on=False, zorder=3)
            axis.text(1.03, row, bar.text, va="center", fontsize=7.5, color=INK, clip_on=False)
        axis.set_xlim(0, 1)
        axis.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100 %"], fontsize=7.5)
        axis.set_yticks(range(rows), [bar.name for bar in panel.bars], fontsize=8.5)
        axis.set_ylim(rows - 0.4, -0.6)
        axis.tick_params(length=0)
        better = "more is better →" if panel.more_is_better else "← less is better"
        axis.set_title(f"{panel.title}\n{better}", fontsize=9, color=INK)
        axis.grid(axis="x", color="#e4e7eb")
        _bare(axis)
    figure.tight_layout(w_pad=3.2)
    return _svg(figure)


@_once
def draw_confusions(tables: Mapping[str, Sequence[Sequence[int]]]) -> str:
    """Small multiples of gold (rows) by answer (columns): right answers blue, too low orange, too high grey."""
    import numpy as np

    pyplot = _pyplot()
    columns = min(4, len(tables))
    rows = -(-len(tables) // columns)
    figure, axes = pyplot.subplots(rows, columns, figsize=(2.9 * columns, 2.75 * rows), squeeze=False)
    for axis in axes.flat[len(tables) :]:
        axis.set_visible(False)
    for axis, (name, counts) in zip(axes.flat, tables.items(), strict=False):
        table = np.asarray(counts)
        silent = table[:, -1].sum()
        table = table if silent else table[:, :-1]
        shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
        axis.imshow(_shade(shares), aspect="auto")
        for (row, column), count in np.ndenumerate(table):
            strong = "bold" if row == column else "normal"
            colour = "white" if row == column and shares[row, column] > 0.6 else INK
            text = f"{count}" if count else "·"
            axis.text(column, row, text, ha="center", va="center", color=colour, fontsize=9.5, weight=strong)
        names = ["low", "med", "high", "emerg"] + (["none"] if silent else [])
        axis.set_xticks(range(len(names)), names, fontsize=8)
        axis.set_yticks(range(4), ["low", "med", "high", "emerg"], fontsize=8)
        axis.set_title(name, fontsize=9, color=INK)
        axis.set_xlabel("answered", fontsize=8, color=GREY)
        axis.set_ylabel("label", fontsize=8, color=GREY)
        axis.tick_params(length=0)
        _bare(axis)
    figure.tight_layout()
    return _svg(figure)


@_once
def draw_losses(curves: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Training and validation loss by step, one panel a stage."""
    pyplot = _pyplot()
    figure, axes = pyplot.subplots(1, len(curves), figsize=(2.9 * len(curves), 2.6), squeeze=False)
    for axis, (name, rows) in zip(axes[0], curves.items(), strict=True):
        for key, label, style in (
            ("loss", "training", {"color": BLUE}),
            ("eval_loss", "held out", {"color": ORANGE}),
        ):
            points = [(row["step"], row[key]) for row in rows if key in row]
            if points:
                marker = "o" if key == "eval_loss" or len(points) < 3 else ""
                axis.plot(*zip(*points, strict=True), label=label, marker=marker, markersize=4, **style)
        axis.set_title(name, fontsize=9, color=INK)
        axis.set_xlabel("step", fontsize=8, color=GREY)
        axis.tick_params(labelsize=7.5)
        axis.grid(color="#eceef1")
        _bare(axis)
        if axis.lines:
            axis.legend(fontsize=7.5, frameon=False)
    axes[0][0].set_ylabel("loss", fontsize=8, color=GREY)
    figure.tight_layout()
    return _svg(figure)


@_once
def draw_confidence(points: Sequence[Point]) -> str:
    """Left: is confidence right as often as it says. Right: how errors fall when the unsure are left out."""
    pyplot = _pyplot()
    values, table = tabulate(points)
    bins, risks = find_bins(values, table), risk_coverage(table)
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(7.4, 3.1))
    left.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)
    alike = Counter((round(one.confidence, 6), round(one.accuracy, 6)) for one in bins)
    for (confidence, accuracy), times in alike.items():
        left.plot(confidence, accuracy, "o", color=BLUE, markersize=4 + 2 * times, clip_on=False, zorder=3)
    left.set_title(
        f"Reliability: {len(points)} cases in ten equal bins\n(larger: several bins alike)", fontsize=9, color=INK
    )
    left.set_xlabel("share of wordings that agree", fontsize=8, color=GREY)
    left.set_ylabel("share in range", fontsize=8, color=GREY)
    right.plot([(i + 1) / len(risks) for i in range(len(risks))], risks, color=ORANGE, linewidth=2)
    right.axvline(COVERAGE, color=GREY, linestyle="--", linewidth=1)
    right.set_title(
        f"Errors among the surest cases\n(mean {risks.mean():.2f}; less is better)", fontsize=9, color=INK
    )
    right.set_xlabel("share of cases kept, surest first", fontsize=8, color=GREY)
    right.set_ylabel("share not in range", fontsize=8, color=GREY)
    for axis in (left, right):
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 1)
        axis.tick_params(labelsize=7.5)
        axis.grid(color="#eceef1")
        _bare(axis)
    figure.tight_layout(w_pad=2.4)
    return _svg(figure)


def _shade(shares: Any) -> Any:
    """Colours by side of the diagonal and by share of the row; the last extra column is "no answer"."""
    import numpy as np
    from matplotlib.colors import to_rgb

    rows, columns = np.indices(shares.shape)
    sides = np.select([rows == columns, columns < rows], [0, 1], 2)
    colours = np.array([to_rgb(BLUE), to_rgb(ORANGE), to_rgb(GREY)])[sides]
    strength = np.where(shares > 0, 0.15 + 0.85 * shares, 0.03)[..., None]
    return 1 - strength * (1 - colours)


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "prescreen"  # the same numbers give the same bytes
    from matplotlib import pyplot

    return pyplot


def _bare(axis: Any) -> None:
    for side in axis.spines.values():
        side.set_visible(False)


def _svg(figure: Any) -> str:
    """The figure as a data URI; closed, since pyplot keeps figures for ever."""
    from matplotlib import pyplot

    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    pyplot.close(figure)
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()
