"""One control chart as inline SVG: weeks with their intervals, centre, limits; a state is a shape and a colour.

Knows a chart's figures, no page: colours are the page's, by class.
"""

from html import escape
from typing import Final, NamedTuple

from prescreen.clinic.rates import Rate
from prescreen.monitor.chart import Chart, Point, State, Unit

WEEKS: Final = 26  # drawn at most, the last ones
WIDTH: Final = 220.0
HEIGHT: Final = 92.0
INSET: Final = 6.0  # of the first and the last week
LEFT, RIGHT, TOP, BOTTOM = 40.0, 8.0, 8.0, 16.0
_WORDS: Final[dict[State, str]] = {
    "steady": "steady",
    "watch": "worth watching",
    "alarm": "alarm",
    "too few": "too few to judge",
}


class Scale(NamedTuple):
    """Where a week and a figure stand."""

    weeks: int
    top: float
    bottom: float = 0.0

    def x(self, number: int) -> float:
        """Weeks stand apart evenly; a single one in the middle."""
        left, inner = LEFT + INSET, WIDTH - LEFT - RIGHT - 2 * INSET
        return left + (inner / 2 if self.weeks == 1 else inner * number / (self.weeks - 1))

    def y(self, figure: float) -> float:
        share = (figure - self.bottom) / (self.top - self.bottom)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(1.0, max(0.0, share))


def draw(chart: Chart) -> str:
    """The chart as an `svg` element with a label for who does not see it."""
    points = chart.points[-WEEKS:]
    least = min((point.figure for point in points if point.figure is not None), default=0.0)
    scale = Scale(len(points), _find_top(chart, points), min(0.0, 1.15 * least))  # a gap may be below nothing
    parts = [
        _draw_limits(chart, scale),
        *(_draw_interval(point, scale.x(number), scale, chart.unit) for number, point in enumerate(points)),
        _draw_line(points, scale),
        *(_draw_mark(point, scale.x(number), scale) for number, point in enumerate(points)),
        _draw_labels(chart, points, scale),
    ]
    label = escape(f"{chart.signal.title}, {len(points)} weeks: {tell_state(chart)}", quote=True)
    size = f'viewBox="0 0 {WIDTH:g} {HEIGHT:g}"'
    return f'<svg class="chart" {size} role="img" aria-label="{label}">{"".join(parts)}</svg>'


def tell_state(chart: Chart) -> str:
    """The last week's figure and its state, in words."""
    last = chart.points[-1]
    return f"last {tell_figure(last.figure, chart.unit)} of {last.n}, {_WORDS[chart.state]}"


def tell_figure(figure: float | None, unit: Unit) -> str:
    """A figure with its unit."""
    if figure is None:
        return "none"
    if unit == "share":
        return f"{100 * figure:.0f} %".replace("-0 %", "0 %")
    if unit == "seconds":
        return f"{figure:.0f} s" if figure < 120 else f"{figure / 60:.0f} min"
    return f"{figure:.2f}"


def name_week(week: "Point") -> str:
    """A week by its number in the year, as calendars print it."""
    return f"W{week.week.isocalendar().week:02}"


def find_interval(point: Point, unit: Unit) -> tuple[float, float] | None:
    """A share's 95 % interval (Wilson); other figures have none."""
    if unit != "share" or point.figure is None or not 0 <= point.figure <= 1 or not point.n:
        return None
    right = round(point.figure * point.n)
    if abs(right - point.figure * point.n) > 1e-6 * point.n:  # no share of this n: a gap, or a figure adjusted
        return None
    low, high = Rate(right=right, wrong=point.n - right).wilson()
    return low, high


def _find_top(chart: Chart, points: tuple[Point, ...]) -> float:
    """The top of the figure: all points and limits, intervals too as far as they do not crush the rest."""
    told = [point.figure for point in points if point.figure is not None]
    if chart.state != "too few":
        told += [each for each in (chart.centre, chart.high, chart.low) if each is not None]
    highest = max(told, default=0.0)
    ends = [ends[1] for point in points if (ends := find_interval(point, chart.unit))]
    top = max(1.15 * highest, min(max(ends, default=0.0), 2.0 * highest))
    least = {"share": 0.05, "seconds": 10.0, "shift": 0.25}[chart.unit]
    return min(max(top, least), 1.0) if chart.unit == "share" else max(top, least)


def _draw_limits(chart: Chart, scale: Scale) -> str:
    left, right = LEFT, WIDTH - RIGHT
    y = f"{scale.y(0.0):.1f}"
    drawn = f'<line class="axis" x1="{left}" y1="{y}" x2="{right}" y2="{y}"/>'
    if chart.state == "too few":  # limits that nothing is judged by would only look like some
        return drawn
    low = scale.y(scale.bottom if chart.low is None else chart.low)
    high = scale.y(scale.top if chart.high is None else chart.high)
    if chart.low is not None or chart.high is not None:
        drawn += f'<rect class="band" x="{left}" y="{high:.1f}" width="{right - left}" height="{low - high:.1f}"/>'
    for name, figure in (("limit", chart.low), ("limit", chart.high), ("centre", chart.centre)):
        if figure is not None:
            y = f"{scale.y(figure):.1f}"
            drawn += f'<line class="{name}" x1="{left}" y1="{y}" x2="{right}" y2="{y}"/>'
    return drawn


def _draw_interval(point: Point, x: float, scale: Scale, unit: Unit) -> str:
    ends = find_interval(point, unit)
    if ends is None:
        return ""
    low, high = (f"{scale.y(each):.1f}" for each in ends)
    return f'<line class="interval" x1="{x:.1f}" y1="{low}" x2="{x:.1f}" y2="{high}"/>'


def _draw_line(points: tuple[Point, ...], scale: Scale) -> str:
    """Weeks in a row are joined; a week without a figure leaves a gap."""
    runs: list[list[str]] = [[]]
    for number, point in enumerate(points):
        if point.figure is None:
            runs.append([])
        else:
            runs[-1].append(f"{scale.x(number):.1f},{scale.y(point.figure):.1f}")
    return "".join(f'<polyline class="line" points="{" ".join(run)}"/>' for run in runs if len(run) > 1)


def _draw_mark(point: Point, x: float, scale: Scale) -> str:
    """Steady a dot, worth watching a triangle, an alarm a square in a ring, too few a hollow dot."""
    if point.figure is None:
        return ""
    y = scale.y(point.figure)
    if point.state == "alarm":
        ring = f'<circle class="ring" cx="{x:.1f}" cy="{y:.1f}" r="7"/>'
        return f'{ring}<rect class="mark alarm" x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7"/>'
    if point.state == "watch":
        corners = f"{x:.1f},{y - 4.5:.1f} {x - 4.5:.1f},{y + 3.5:.1f} {x + 4.5:.1f},{y + 3.5:.1f}"
        return f'<polygon class="mark watch" points="{corners}"/>'
    name = "few" if point.state == "too few" else "steady"
    return f'<circle class="mark {name}" cx="{x:.1f}" cy="{y:.1f}" r="2.2"/>'


def _draw_labels(chart: Chart, points: tuple[Point, ...], scale: Scale) -> str:
    base = HEIGHT - BOTTOM
    told = [
        (LEFT - 3, TOP + 4, "end", tell_figure(scale.top, chart.unit)),
        (LEFT - 3, base, "end", tell_figure(scale.bottom, chart.unit)),
    ]
    told.append((scale.x(0), HEIGHT - 3, "middle" if len(points) == 1 else "start", name_week(points[0])))
    if len(points) > 1:
        told.append((WIDTH - RIGHT, HEIGHT - 3, "end", name_week(points[-1])))
    return "".join(
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
        for x, y, anchor, words in told
    )
