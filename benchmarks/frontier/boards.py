"""The leaderboard: for each limit the most accurate network that keeps it."""

from collections.abc import Iterable
from dataclasses import dataclass

import answers
import tables
from frontier.pages import with_seconds
from frontier.points import read_points
from tables import Part

import convscope as cs


@dataclass(frozen=True)
class Board:
    """A contest: networks of one part of docs/results.json that cost no more than a limit.

    Attributes:
        part: "frontier", "integers", or "fashion" for the frontier on Fashion-MNIST.
        cost: the cost that is limited, as a row of the frontier names it.
        is_single: whether ensembles and averages over views are left out.
    """

    title: str
    part: str
    cost: str
    limit: float
    is_single: bool = True


BOARDS = (
    Board("697 parameters", "frontier", "parameters", 697),
    Board("2,000 parameters", "frontier", "parameters", 2_000),
    Board("8,000 parameters", "frontier", "parameters", 8_000),
    Board("25,000 parameters", "frontier", "parameters", 25_000),
    Board("1 million parameters", "frontier", "parameters", 1_000_000),
    Board("any ensemble", "frontier", "parameters", float("inf"), is_single=False),
    Board("1 second", "frontier", "seconds", 1),
    Board("3 seconds", "frontier", "seconds", 3),
    Board("20 seconds", "frontier", "seconds", 20),
    Board("11,000 bytes, in C", "integers", "weights_bytes", 11_000),
    Board("4,000 bytes, in C", "integers", "weights_bytes", 4_000),
    Board("Fashion-MNIST, 1 million parameters", "fashion", "parameters", 1_000_000),
    Board("Fashion-MNIST, any", "fashion", "parameters", float("inf"), is_single=False),
)


MIN_RUNS = 5
"""Fewer runs of a single network are left out, since the luckiest of few seeds is no mean."""


def find_best(board: Board, rows: Iterable[Part]) -> Part | None:
    """Find the row with the highest mean that keeps a board's limit."""
    valid = (
        row
        for row in rows
        if (not board.is_single or row["members"] == row["views"] == 1)
        and (row["members"] > 1 or row["num_runs"] >= MIN_RUNS)
    )
    within = [row for row in valid if row[board.cost] is not None and row[board.cost] <= board.limit]
    return max(within, key=lambda row: row["mean"], default=None)


def rows(part: Part) -> Iterable[str]:
    """Write the table of all boards, each with its best network."""
    lines = []
    for board in BOARDS:
        measured = part if board.part == "frontier" else part[board.part]
        if measured and (best := find_best(board, with_seconds(measured))):
            both = best["interval_with_images"]
            lines.append(
                [board.title, f"`{best['name']}`", best.get("by") or "convscope", str(best["num_runs"]),
                 tables.percent(best["mean"]), "" if both is None else tables.interval(both)]
            )  # fmt: skip
    yield from tables.table(["at most", "best", "by", "n", "mean", "95 % interval, seeds and images"], lines)
    if gains := [gain for measured in (part, part["fashion"]) if measured for gain in _compare_rows(measured["rows"])]:
        columns = ["entry", "compared with", "difference in points", "95 % interval, seeds and images", "p"]
        yield from ("", *tables.table(columns, gains))


def _compare_rows(rows: Iterable[Part]) -> Iterable[list[str]]:
    """Compare each entry with the row that stands beside it."""
    measured = {row["name"]: row for row in rows}
    for point in read_points():
        if point.name in measured and point.beside in measured:
            groups = (answers.read_group(measured[name]) for name in (point.name, point.beside))
            comparison = cs.compare_groups(*groups).to_dict()
            low, high = (100 * value for value in comparison["accuracy_difference_interval"])
            difference = f"{100 * comparison['accuracy_difference']:+.3f}"
            p_value = f"{comparison['p_value']:.2g}"
            yield [f"`{point.name}`", f"`{point.beside}`", difference, f"[{low:+.3f}, {high:+.3f}]", p_value]
