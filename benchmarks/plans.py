"""How many seeds a comparison needs: planned by `cs.plan` from the published predictions of pairs of networks."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import answers
import tables
from tables import Part

import convscope as cs

DIFFERENCES = (0.002, 0.001, 0.0005)
"""The differences of accuracies that are planned for."""


def measure(measurement: Any, rows: Iterable[Part]) -> Part:
    """Plan the comparison of each two neighbours in accuracy among the rows that have predictions.

    Args:
        measurement: the `Measurement` of measure.py.
    """
    measurement.commands.append('make results ARGS="plans"')
    known = [row for row in rows if "answers" in row and row["num_runs"] > 1]
    groups = [answers.read_group(row) for row in sorted(known, key=lambda row: row["mean"])]
    return {"num_images": groups[0].num_images, "pairs": [plan(*pair) for pair in pairwise(groups)]}


def plan(a: cs.RunGroup, b: cs.RunGroup) -> Part:
    """Plan a comparison of two networks for each of `DIFFERENCES`."""
    plans = [cs.plan(a, b, difference=difference) for difference in DIFFERENCES]
    return {
        "names": [a.name, b.name],
        "floor": plans[0].floor,
        "seeds": {f"{difference:g}": plan.seeds for difference, plan in zip(DIFFERENCES, plans, strict=True)},
    }


def rows(part: Part) -> Iterable[str]:
    cells = [
        [" and ".join(f"`{name}`" for name in pair["names"]), f"{100 * pair['floor']:.2f}",
         *("none" if seeds is None else f"{seeds:,}" for seeds in pair["seeds"].values())]
        for pair in part["pairs"]
    ]  # fmt: skip
    columns = [
        "networks",
        "floor",
        *(f"seeds for {100 * float(difference):g}" for difference in part["pairs"][0]["seeds"]),
    ]
    yield from tables.table(columns, cells)
    yield ""
    yield tables.prose(
        "The seeds of each with which `convscope compare` shows a true difference of so many points with a probability "
        'of 80 %, for other seeds and other images; "none" is more than 1,000. Below the floor no number of seeds does '
        f"on {part['num_images']:,} images. It depends on how alike the two networks err: `convscope plan` plans for "
        "yours."
    )
    yield from tables.provenance(part)
