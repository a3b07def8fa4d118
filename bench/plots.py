"""Plots of results as SVG, the same bytes for the same figures.

In:     panels of series, each point with its interval
Out:    the text of an SVG file, or the bytes of a PNG to look at

matplotlib is imported when a plot is drawn. Colours are those of Okabe and Ito, which most people
who see colours otherwise can tell apart; markers and dashes tell the lines apart without them, and
each line has its name at its end.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Panel", "Point", "Series", "draw", "place_labels"]

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6B4C9A", "#8C6D31")
FLOOR_COLOR = "#555555"  # drains: what nobody can be under
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)))
PANEL_WIDTH, HEIGHT = 6.2, 5.0  # inches
LABEL_WIDTH = 2.1  # inches
LEFT = 0.8  # inches: numbers and name of the y axis
MARGIN = 1.3  # above the highest point, and below the lowest
LABEL_SIZE = 8  # points
LABEL_HEIGHT = 11  # points from one label to the next
RC = {
    "svg.hashsalt": "rtspkit",
    "svg.fonttype": "none",  # text stays text
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
}


@dataclass(frozen=True, slots=True)
class Point:
    """One figure; ``low`` and ``high`` are its interval, the figure itself when it has none."""

    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Series:
    """One line.

    Attributes:
        label: Its name.
        points: By ``x``.
        floor: Whether it is a bare drain, drawn in grey.
        strong: Whether it is what the plot is about.
    """

    label: str
    points: tuple[Point, ...]
    floor: bool = False
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes."""

    title: str
    series: tuple[Series, ...]
    x_label: str
    y_label: str
    log_x: bool = True
    log_y: bool = True
    x_ticks: tuple[tuple[float, str], ...] = ()


def place_labels(wanted: Sequence[float], distance: float, low: float, high: float) -> list[float]:
    """Where labels go so that none covers another.

    Args:
        wanted: Where each would be best, in any unit.
        distance: That two of them must keep.
        low: None goes below this,
        high: nor above this, unless there is no room for all.

    Returns:
        A place for each, in the order given; each group of crowded labels around its middle.
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    groups: list[tuple[float, list[int]]] = []  # lowest place, labels
    for index in order:
        members, lowest = [index], wanted[index]
        while True:
            middle = sum(wanted[member] for member in members) / len(members)
            lowest = middle - distance * (len(members) - 1) / 2
            lowest = max(low, min(lowest, high - distance * (len(members) - 1)))
            if not groups or groups[-1][0] + distance * len(groups[-1][1]) <= lowest + 1e-9:
                break
            members = groups.pop()[1] + members
            if not groups and lowest <= low:
                lowest = low
        groups.append((lowest, members))
    places = [0.0] * len(wanted)
    for lowest, members in groups:
        for offset, member in enumerate(members):
            places[member] = lowest + distance * offset
    return places


def draw(panels: Sequence[Panel], title: str, *, kind: str = "svg") -> bytes:
    """Draw panels side by side.

    Args:
        panels: At least one, each with at least one series.
        title: Over all of them.
        kind: ``"svg"`` or ``"png"``.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    styles = _styles(panels)
    with mpl.rc_context(RC):
        figure = Figure(figsize=(PANEL_WIDTH * len(panels) + 0.3, HEIGHT))
        canvas = FigureCanvasAgg(figure)
        for index, panel in enumerate(panels):
            axes = figure.add_subplot(1, len(panels), index + 1)
            _draw_panel(axes, panel, styles)
        figure.suptitle(title, x=0.02, ha="left", fontsize=11)
        _lay_out(figure, len(panels))
        canvas.draw()
        _share_heights(figure, panels)
        for axes, panel in zip(figure.axes, panels, strict=True):
            _name_lines(axes, panel, styles)
        out = io.BytesIO()
        if kind == "png":
            canvas.print_png(out)
        else:
            FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None, "Creator": None})
    if kind == "png":
        return out.getvalue()
    lines = out.getvalue().decode().splitlines()
    return ("\n".join(line.rstrip() for line in lines) + "\n").encode()


def _lay_out(figure: Figure, panels: int) -> None:
    """Room at the right of each panel for the names of its lines."""
    width = PANEL_WIDTH * panels + 0.3
    for index, axes in enumerate(figure.axes):
        left = (LEFT + PANEL_WIDTH * index) / width
        axes.set_position((left, 0.13, (PANEL_WIDTH - LEFT - LABEL_WIDTH) / width, 0.73))


def _share_heights(figure: Figure, panels: Sequence[Panel]) -> None:
    """Panels of one quantity have one scale."""
    if len({(panel.y_label, panel.log_y) for panel in panels}) == 1:
        limits = [axes.get_ylim() for axes in figure.axes]
        for axes in figure.axes:
            axes.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))


def _darker(color: str) -> str:
    """A colour that letters can be read in on white."""
    parts = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{part * 7 // 10:02X}" for part in parts)


def _styles(panels: Sequence[Panel]) -> dict[str, dict[str, object]]:
    """How each line looks: the same in every panel."""
    styles: dict[str, dict[str, object]] = {}
    names = {each.label: each.floor for panel in panels for each in panel.series}
    colored = floors = 0
    for label in names:
        if names[label]:
            number, floors = floors, floors + 1
            styles[label] = {"color": FLOOR_COLOR, "linestyle": DASHES[1 + number % 2]}
        else:
            number, colored = colored, colored + 1
            cycle = number // len(COLORS)
            styles[label] = {
                "color": COLORS[number % len(COLORS)],
                "linestyle": DASHES[cycle % len(DASHES)],
            }
        styles[label]["marker"] = MARKERS[number % len(MARKERS)]
    return styles


def _draw_panel(axes: Axes, panel: Panel, styles: dict[str, dict[str, object]]) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    plain = FuncFormatter(lambda value, _: f"{value:,.12g}")
    if panel.log_x:
        axes.set_xscale("log")
    if panel.log_y:
        axes.set_yscale("log")
    for each in panel.series:
        style = styles[each.label]
        xs = [point.x for point in each.points]
        width = 2.2 if each.strong else 1.2
        axes.plot(xs, [p.y for p in each.points], linewidth=width, markersize=4, **style)
        if any(point.low != point.high for point in each.points):
            axes.vlines(
                xs,
                [p.low for p in each.points],
                [p.high for p in each.points],
                color=style["color"],
                linewidth=1,
                alpha=0.7,
            )
    if panel.x_ticks:
        axes.set_xticks([at for at, _ in panel.x_ticks], [name for _, name in panel.x_ticks])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(axis="x", which="minor", length=0)
    else:
        axes.xaxis.set_major_formatter(plain)
    axes.yaxis.set_major_formatter(plain)
    heights = [point.y for each in panel.series for point in each.points]
    low, high = min(heights) / MARGIN, max(heights) * MARGIN  # wide intervals are cut off
    axes.set_ylim(low if panel.log_y else 0, high)
    if panel.log_y and high / low < 30:  # one decade: its parts need their numbers too
        axes.yaxis.set_minor_formatter(
            FuncFormatter(lambda value, _: f"{value:g}" if f"{value:.0e}"[0] in "235" else "")
        )
        axes.tick_params(axis="y", which="minor", labelsize=7)
    axes.set_title(panel.title, loc="left")
    axes.set_xlabel(panel.x_label)
    axes.set_ylabel(panel.y_label)


def _name_lines(axes: Axes, panel: Panel, styles: dict[str, dict[str, object]]) -> None:
    """Each line's name at the right of the panel, joined to its last point."""
    to_points = 72 / axes.figure.dpi
    box = axes.get_window_extent()
    ends = [each.points[-1] for each in panel.series]
    pixels = [axes.transData.transform((point.x, point.y)) for point in ends]
    heights = [float(y) * to_points for _, y in pixels]
    places = place_labels(heights, LABEL_HEIGHT, box.y0 * to_points, box.y1 * to_points)
    right = box.x1
    for each, point, pixel, place in zip(panel.series, ends, pixels, places, strict=True):
        color = str(styles[each.label]["color"])
        axes.annotate(
            each.label,
            xy=(point.x, point.y),
            xytext=((right - pixel[0]) * to_points + 14, place - pixel[1] * to_points),
            textcoords="offset points",
            fontsize=LABEL_SIZE,
            fontweight="bold" if each.strong else "normal",
            color=_darker(color),
            va="center",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": color,
                "linewidth": 0.5,
                "alpha": 0.6,
                "relpos": (0, 0.5),
                "shrinkA": 1,
                "shrinkB": 3,
            },
        )
