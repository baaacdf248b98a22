"""A model as a candidate of a comparison: its evaluation and what it costs."""

from dataclasses import dataclass
from math import inf, prod
from typing import Annotated, Any

import numpy as np

from convscope.architecture import Architecture
from convscope.base.arguments import check_fields, checked
from convscope.engine.rounding import kernel_filters
from convscope.evidence.evaluation import Evaluation
from convscope.recipes import WeightBits
from convscope.texts import say
from convscope.training.model import Model

COSTS = (
    "parameters", "macs", "weights_bytes", "training_seconds", "latency_seconds", "latency_1000_seconds",
)  # fmt: skip
"""What a candidate costs, by the names of its attributes."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model's evaluation and what it cost.

    Attributes:
        parameters: how many numbers training can change.
        macs: multiply-adds that one image costs on its way forward.
        weights_bytes: the size of the stored weights, see `weights_bytes`.
        training_seconds: None where it is not known.
        latency_seconds: that the answer to one image takes, as measured by the caller; None where it is not known.
        latency_1000_seconds: that the answers to a thousand images at once take, likewise.

    Raises:
        ValueError: if a cost is negative or not finite.
    """

    name: str
    evaluation: Evaluation
    parameters: int
    macs: int
    weights_bytes: int
    training_seconds: float | None = None
    latency_seconds: float | None = None
    latency_1000_seconds: float | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        check_costs(self)

    @classmethod
    @checked
    def from_model(
        cls,
        model: Model,
        evaluation: Evaluation,
        training_seconds: float | None = None,
        name: str | None = None,
        latency_seconds: float | None = None,
        latency_1000_seconds: float | None = None,
        weight_bits: WeightBits | None = None,
    ) -> "Candidate":
        """Return `model` with its `evaluation`, called by its architecture's name unless another is given.

        An evaluation over several views costs the multiply-adds of each. `weight_bits` are those of the recipe.
        """
        network = model.architecture
        return cls(
            name or model.name,
            evaluation,
            network.parameters,
            network.macs * evaluation.views,
            weights_bytes(network, weight_bits),
            training_seconds,
            latency_seconds,
            latency_1000_seconds,
        )


def weights_bytes(network: Architecture, bits: WeightBits | None = None) -> int:
    """Return the bytes of a network's weights: four each, moving statistics included.

    Kernels that a recipe trained in `bits` bits are packed, and each of their filters has its step in four bytes.

    >>> from convscope.architecture.presets import small
    >>> weights_bytes(small()), weights_bytes(small(), 4)
    (21032, 2884)
    """
    kernels = {} if bits is None else kernel_filters(network)
    sizes = {name: prod(shape) for name, shape in network.weight_shapes.items()}
    packed = sum(-(-(bits or 0) * sizes[name] // 8) + 4 * filters for name, filters in kernels.items())
    return packed + sum(4 * size for name, size in sizes.items() if name not in kernels)


def check_costs(value: Any) -> None:
    """Raise `ValueError` unless each of the costs that `value` has is None or finite and at least 0."""
    for name in COSTS:
        cost = getattr(value, name)
        if cost is not None and not 0 <= cost < inf:
            raise ValueError(f"{name} is {cost}; it must be finite and at least 0")


def check_same_images(names: tuple[str, str], answers: tuple[Any, Any]) -> None:
    """Raise `ValueError` unless two evaluations, or two groups, are of the same images."""
    first, second = answers
    for name in ("dataset_name", "split", "class_names"):
        ours, theirs = (getattr(value, name, None) for value in answers)
        if ours != theirs:
            raise ValueError(
                f"{name} is {ours!r} for {names[0]} but {theirs!r} for {names[1]}; only models evaluated on the same "
                "images can be compared"
            )
    if not np.array_equal(first.y_true, second.y_true):
        raise ValueError(
            f"{names[0]} and {names[1]} were evaluated on different images of {first.dataset_name}; evaluate both on "
            "the same images"
        )


def cost_cells(value: Any) -> tuple[str, ...]:
    """Return parameters, size, multiply-adds and training time as the cells of a table."""
    return (
        f"{value.parameters:,}",
        f"{value.weights_bytes / 1024:,.1f} KB",
        f"{value.macs:,}",
        seconds_text(value.training_seconds),
    )


def seconds_text(seconds: float | None) -> str:
    """Return a time as text, in the unit that suits it."""
    if seconds is None:
        return say("head.unknown")
    for factor, unit in ((1, "s"), (1e3, "ms")):
        if factor * seconds >= 0.1 or seconds == 0:
            return f"{factor * seconds:,.2f} {unit}"
    return f"{1e6 * seconds:,.1f} µs"


def latency_lines(names: tuple[str, ...], values: tuple[Any, ...]) -> list[str]:
    """Return a line for each whose latency is known."""
    return [
        f"{name}: one image takes {seconds_text(value.latency_seconds)}, 1,000 images take "
        f"{seconds_text(value.latency_1000_seconds)}"
        for name, value in zip(names, values, strict=True)
        if value.latency_seconds is not None or value.latency_1000_seconds is not None
    ]


CandidateArgument = Annotated[Candidate, "a Candidate, such as cs.Candidate.from_model(model, evaluation)"]
"""What `compare` takes; a model alone has no evaluation to compare."""
