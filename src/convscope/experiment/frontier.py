"""How accurate, how small and how fast: the points of the frontier, measured from the runs of an experiment.

Points that average views or join networks need no training of their own: they are computed from the models and the
answers of runs that are finished.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import mean
from textwrap import fill
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.base.errors import DatasetError, RunError
from convscope.base.files import write_bytes
from convscope.base.plain import plain_attributes
from convscope.base.run_variation import RunVariation
from convscope.base.statistics import group_accuracy_interval
from convscope.base.tables import printable, text_table
from convscope.data.datasets import Dataset
from convscope.evidence.comparison import weights_bytes
from convscope.evidence.comparison.answers_file import read_predictions
from convscope.experiment.group import Group
from convscope.experiment.points import Point
from convscope.experiment.published import PUBLISHED, Published
from convscope.experiment.result import RunResult
from convscope.recipes import Precision, Recipe
from convscope.storage import open_run

COSTS = ("parameters", "seconds", "weights_bytes")
"""What a point costs: numbers to learn, seconds of training, bytes of the stored weights."""
DIFFERENCES = (0.001, 0.0005, 0.0002)
"""Differences of accuracies for which it is stated how often chance alone makes them."""

_HEADER = (
    "Point", "Runs", "Mean", "SD", "95 % (seeds)", "95 % (+ images)", "Minimum", "Maximum", "Parameters", "Bytes",
    "Seconds",
)  # fmt: skip
_CHANCE_HEADER = (
    "Point", "Runs", "SD: seeds", "test sets", "same images", "other images", "Runs for 0.1", "for 0.05", "for 0.02",
)  # fmt: skip
_WIDTH = 100

OnStep = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class MeasuredPoint:
    """A point of the frontier with what was measured.

    Attributes:
        seeds: of all runs that are part of it.
        group: the accuracies, one for each network or ensemble.
        parameters, weights_bytes: of one network, or of all networks of an ensemble; see `weights_bytes`.
        seconds: of training, the mean of the networks, or of all networks of an ensemble.
        precision, weight_bits: of the recipe.
        variation: between single networks or ensembles; None for one.
    """

    point: Point
    seeds: tuple[int, ...]
    group: Group
    parameters: int
    weights_bytes: int
    seconds: float
    precision: Precision
    weight_bits: int | None
    variation: RunVariation | None = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain JSON."""
        return {
            **plain_attributes(self.point, "name", "architecture", "recipe", "views", "members"),
            **plain_attributes(self, "precision", "weight_bits"),
            "seeds": list(self.seeds),
            **plain_attributes(
                self.group, "num_runs", "mean", "sd", "interval", "interval_with_images", "minimum", "maximum"
            ),
            **plain_attributes(self, *COSTS),
            "variation": None if self.variation is None else _variation_dict(self.variation),
        }


@dataclass(frozen=True, eq=False)
class Frontier:
    """Points that were measured on the same test images.

    Attributes:
        left_out: in words, which points have too few runs.
        machines: what trained the runs, in words.
    """

    dataset_name: str
    num_images: int
    points: tuple[MeasuredPoint, ...]
    left_out: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()

    @property
    def published(self) -> Sequence[Published]:
        """What others published on this data set."""
        return PUBLISHED.get(self.dataset_name, ())

    @cached_property
    def pareto(self) -> Mapping[str, tuple[str, ...]]:
        """For each cost the names of the points that no other point beats, the cheapest first.

        A point is beaten by one that costs no more, has no lower mean, and is better in one of the two.
        """
        rows = [one.to_dict() for one in self.points]
        return {cost: pareto_names(rows, cost) for cost in COSTS}

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain JSON."""
        return {
            "dataset": self.dataset_name,
            "split": "test",
            "num_images": self.num_images,
            "points": [one.to_dict() for one in self.points],
            "pareto": {cost: list(names) for cost, names in self.pareto.items()},
            "published": [one.to_dict() for one in self.published],
            "left_out": list(self.left_out),
            "machines": list(self.machines),
        }

    def __str__(self) -> str:
        count = len(self.points)
        headline = f"{count} point{'' if count == 1 else 's'}, accuracy on {self.num_images:,} test images of "
        note = (
            "Each mean has two 95 % intervals. The first covers other seeds on these test images (Student's t). The "
            "second covers other seeds and other images. Seconds are those of training on this machine, while these "
            "runs were computed."
        )
        parts = [printable(headline + self.dataset_name), text_table(_HEADER, map(_row, self.points))]
        parts.append(fill(note, _WIDTH))
        if varied := [one for one in self.points if one.variation is not None]:
            chance = (
                "How far two runs lie apart by chance, in points: the standard deviation over seeds, over test sets "
                "of this size, and of the difference of two single runs on the same test images and on test images "
                "of their own. The last three columns are the runs of each network that show a difference of so many "
                "points with a probability of 80 %."
            )
            parts += [fill(chance, _WIDTH), text_table(_CHANCE_HEADER, map(_chance_row, varied))]
        return "\n\n".join([*parts, *map(printable, self.left_out)])


def pareto_names(points: Sequence[Mapping[str, Any]], cost: str) -> tuple[str, ...]:
    """Return the names of the points that no other point beats at a cost, the cheapest first; see `Frontier.pareto`."""
    known = [one for one in points if one[cost] is not None]
    best = [
        one
        for one in known
        if not any(
            other[cost] <= one[cost]
            and other["mean"] >= one["mean"]
            and (other[cost], other["mean"]) != (one[cost], one["mean"])
            for other in known
        )
    ]
    return tuple(one["name"] for one in sorted(best, key=lambda one: one[cost]))


def measure_point(
    point: Point,
    network: Architecture,
    recipe: Recipe,
    runs: Sequence[RunResult],
    test: Dataset,
    on_step: OnStep = lambda *_: None,
) -> MeasuredPoint | None:
    """Return what `runs` of a point come to on the test images.

    Args:
        network, recipe: those of the runs.
        runs: finished, each in a folder of its own if the point joins networks or averages views.
        on_step: called with what is done, how much of it is done and in all.

    Returns:
        None if there are fewer runs than one ensemble takes.

    Raises:
        ConvscopeError: if the file of a run is missing or damaged, or cannot be written.
    """
    ordered = sorted(runs, key=lambda run: run.seed)
    size, count = point.members, len(runs) // point.members
    together = [ordered[start : start + size] for start in range(0, count * size, size)]
    if not together:
        return None
    wrong = np.empty((count, len(test)), np.bool_)
    for number, group in enumerate(together):
        wrong[number] = _labels(point, group, test) != test.labels
        on_step(point.name, number + 1, count)
    values = tuple((~wrong).mean(axis=1).tolist())
    return MeasuredPoint(
        point=point,
        seeds=tuple(run.seed for group in together for run in group),
        group=Group(
            point.architecture,
            point.recipe,
            values,
            point.name,
            group_accuracy_interval(wrong) if count > 1 else None,
        ),
        parameters=point.members * network.parameters,
        weights_bytes=point.members * weights_bytes(network, recipe.weight_bits),
        seconds=mean(sum(run.seconds for run in group) for group in together),
        precision=recipe.precision,
        weight_bits=recipe.weight_bits,
        variation=RunVariation.of(wrong) if count > 1 else None,
    )


def _labels(point: Point, members: Sequence[RunResult], test: Dataset) -> NDArray[np.integer[Any]]:
    """Return (N,), the answers of one network, or of an ensemble by the mean of the probabilities."""
    if point.views == 1 and point.members == 1:
        return members[0].y_pred
    total = np.zeros((len(test), test.num_classes))
    for run in members:
        total += _probabilities(run, point.views, test)
    return np.asarray(total.argmax(axis=1))


def _probabilities(run: RunResult, views: int, test: Dataset) -> NDArray[np.float32]:
    """Return (N, K), those of a run over its views, which are kept in its folder once they are computed."""
    assert run.folder is not None, run
    folder = open_run(run.folder)
    path = folder.place("predictions.npz" if views == 1 else f"predictions-{views}-views.npz")
    if not path.exists():
        probabilities = folder.load_model().probabilities(test.images, views).astype(np.float32)
        buffer = io.BytesIO()
        np.savez(buffer, y_true=test.labels, y_pred=probabilities.argmax(axis=1), y_prob=probabilities)
        write_bytes(path, buffer.getvalue())
        return probabilities
    try:
        return read_predictions(path, len(test), test.num_classes)[2]
    except DatasetError as error:
        raise RunError(f"{error}, or delete the file to have it computed again") from error


def _variation_dict(variation: RunVariation) -> dict[str, Any]:
    return {
        **variation.to_dict(),
        "sd_same_images": variation.sd_same_images,
        "sd_other_images": variation.sd_other_images,
        "differences": [
            {
                "difference": difference,
                "chance_same_images": variation.chance_same_images(difference),
                "chance_other_images": variation.chance_other_images(difference),
                "runs_needed": variation.runs_needed(difference),
            }
            for difference in DIFFERENCES
        ],
    }


def _row(one: MeasuredPoint) -> tuple[str, ...]:
    group = one.group
    return (
        one.point.name,
        f"{group.num_runs}",
        f"{group.mean:.5f}",
        "none" if group.sd is None else f"{group.sd:.5f}",
        _interval_text(group.interval),
        _interval_text(group.interval_with_images),
        f"{group.minimum:.4f}",
        f"{group.maximum:.4f}",
        f"{one.parameters:,}",
        f"{one.weights_bytes:,}",
        f"{one.seconds:.1f}",
    )


def _chance_row(one: MeasuredPoint) -> tuple[str, ...]:
    found = one.variation
    assert found is not None, one
    sds = (found.sd_seeds, found.sd_images, found.sd_same_images, found.sd_other_images)
    needed = (found.runs_needed(difference) for difference in DIFFERENCES)
    return (
        one.point.name,
        f"{found.num_runs}",
        *(f"{100 * sd:.3f}" for sd in sds),
        *("over 1,000,000" if number is None else f"{number:,}" for number in needed),
    )


def _interval_text(interval: tuple[float, float] | None) -> str:
    return "none" if interval is None else f"[{interval[0]:.4f}, {interval[1]:.4f}]"
