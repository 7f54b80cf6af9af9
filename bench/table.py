"""Print figures as a table, and reduce many to their percentiles."""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

SHOWN_PACKAGES: Final = ("gunicorn", "gevent", "flask", "requests")
PERCENTILES: Final = (50, 95, 99)


def percentile(figures: Sequence[float], percent: float) -> float:
    """The smallest figure that is not below `percent` of all (nearest rank)."""
    ordered = sorted(figures)
    return ordered[max(0, -(-len(ordered) * percent // 100).__int__() - 1)]


def percentiles(figures: Sequence[float]) -> list[str]:
    """p50, p95, p99 and the largest, as cells; dashes if there is nothing to reduce."""
    if not figures:
        return ["-"] * (len(PERCENTILES) + 1)
    reduced = [percentile(figures, percent) for percent in PERCENTILES]
    return [f"{figure:.2f}" for figure in (*reduced, max(figures))]


def show(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table that is valid Markdown, too."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    print(_line(head, widths))
    print(_line(["-" * width for width in widths], widths))
    for row in rows:
        print(_line(row, widths))


def machine() -> str:
    """Where figures come from. Ask before measuring: the load must not be our own, and near 0."""
    load = f"load {os.getloadavg()[0]:.1f}"
    packages = ", ".join(f"{name} {version(name)}" for name in SHOWN_PACKAGES)
    return f"{os.cpu_count()} cores, {load}, Python {platform.python_version()}, {packages}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    return f"| {' | '.join(padded)} |"
