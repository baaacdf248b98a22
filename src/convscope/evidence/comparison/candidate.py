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
"""The attributes that are costs of a candidate."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model's evaluation and costs.

    Attributes:
        parameters: number of trainable weights.
        macs: multiply-adds for one image, forward.
        weights_bytes: the size of the stored weights, see `weights_bytes`.
        training_seconds: None if it is unknown.
        latency_seconds: time for one image, as measured by the caller; None if it is unknown.
        latency_1000_seconds: time for a thousand images at once, likewise.

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
        """Make a candidate of `model` and its `evaluation`, with the architecture's name by default.

        An evaluation over several views costs the multiply-adds of each. `weight_bits` are those of the recipe.
        """
        network = model.architecture
        return cls(
            name or model.name,
            evaluation,
            network.parameters,
            # Each view is a forward pass of its own.
            network.macs * evaluation.views,
            weights_bytes(network, weight_bits),
            training_seconds,
            latency_seconds,
            latency_1000_seconds,
        )


def weights_bytes(network: Architecture, bits: WeightBits | None = None) -> int:
    """Compute the bytes of a network's weights: four each, with moving statistics.

    Kernels that a recipe trained in `bits` bits are packed, and each of their filters has a step of four bytes. In 4
    bits, the 5,224 kernel weights of `small` take 2,612 bytes, and its 34 steps and 34 biases 136 bytes each.

    >>> from convscope.architecture.presets import small
    >>> weights_bytes(small()), weights_bytes(small(), 4)
    (21032, 2884)
    """
    kernels = {} if bits is None else kernel_filters(network)
    sizes = {name: prod(shape) for name, shape in network.weight_shapes.items()}
    # A kernel of n numbers takes n · bits / 8 bytes, rounded up, and a float32 scale for each filter.
    packed = sum(-(-(bits or 0) * sizes[name] // 8) + 4 * filters for name, filters in kernels.items())
    return packed + sum(4 * size for name, size in sizes.items() if name not in kernels)


def check_costs(value: Any) -> None:
    """Raise `ValueError` unless each cost of `value` is None, or finite and at least 0."""
    for name in COSTS:
        cost = getattr(value, name)
        if cost is not None and not 0 <= cost < inf:
            raise ValueError(f"{name} is {cost}; it must be finite and at least 0")


def check_same_images(names: tuple[str, str], evaluations: tuple[Any, Any]) -> None:
    """Raise `ValueError` unless two evaluations, or two groups, are of the same images."""
    first, second = evaluations
    for field in ("dataset_name", "split", "class_names"):
        first_value, second_value = getattr(first, field, None), getattr(second, field, None)
        if first_value != second_value:
            raise ValueError(
                f"{field} is {first_value!r} for {names[0]} but {second_value!r} for {names[1]}; only models evaluated "
                "on the same images can be compared"
            )
    if not np.array_equal(first.y_true, second.y_true):
        raise ValueError(
            f"{names[0]} and {names[1]} were evaluated on different images of {first.dataset_name}; evaluate both on "
            "the same images"
        )


def format_costs(value: Any) -> tuple[str, ...]:
    """Format parameters, size, multiply-adds and training time as cells of a table."""
    return (
        f"{value.parameters:,}",
        f"{value.weights_bytes / 1024:,.1f} KB",
        f"{value.macs:,}",
        format_seconds(value.training_seconds),
    )


def format_seconds(seconds: float | None) -> str:
    """Format a time in seconds, milliseconds or microseconds."""
    if seconds is None:
        return say("head.unknown")
    for factor, unit in ((1, "s"), (1e3, "ms")):
        if factor * seconds >= 0.1 or seconds == 0:
            return f"{factor * seconds:,.2f} {unit}"
    return f"{1e6 * seconds:,.1f} µs"


def format_latencies(names: tuple[str, ...], values: tuple[Any, ...]) -> list[str]:
    """Format a line for each model whose latency is known."""
    return [
        f"{name}: one image takes {format_seconds(value.latency_seconds)}, 1,000 images take "
        f"{format_seconds(value.latency_1000_seconds)}"
        for name, value in zip(names, values, strict=True)
        if value.latency_seconds is not None or value.latency_1000_seconds is not None
    ]


CandidateArgument = Annotated[Candidate, "a Candidate, such as cs.Candidate.from_model(model, evaluation)"]
"""The argument of `compare`; a model alone has no evaluation to compare."""
