"""Compare what the native engine computes of a case with the reference.

The difference of two arrays must be within a tolerance, a share of the array's largest number. Where it is not, the
reference computes the case again up to thirty times, each time with errors of the size of the precision's roundings in
every layer. If these errors alone change the array as much, the case is ill-conditioned: a relu is beside its kink, two
numbers under a pooling are nearly equal, or Adam steps along a gradient that consists of rounding errors. The
difference may then be `MARGIN` times theirs.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from network_cases import Case, Outputs, compute
from numpy.typing import NDArray

from convscope.engine import native, reference, reference_passes
from convscope.engine.augmentation import augment
from convscope.engine.native import NativeNetwork
from convscope.engine.reference import ReferenceNetwork
from convscope.recipes import Augmentation, Precision

TOLERANCES: dict[str, dict[Precision, float]] = {  # by what was asked; of float32 as in tests/engine
    "logits": {"float32": 1e-5, "bfloat16": 2e-2},
    "activations": {"float32": 1e-5, "bfloat16": 2e-2},
    "ablations": {"float32": 1e-5, "bfloat16": 2e-2},
    "loss": {"float32": 1e-5, "bfloat16": 2e-2},
    "gradients": {"float32": 1e-4, "bfloat16": 7e-2},
    "by layer": {"float32": 1e-4, "bfloat16": 1e-1},
    "by image": {"float32": 1e-4, "bfloat16": 1e-1},
    "training": {"float32": 2e-5, "bfloat16": 2e-2},
    "state": {"float32": 1e-4, "bfloat16": 1e-1},
    "logits after training": {"float32": 1e-4, "bfloat16": 5e-2},
}
MAX_TRIALS = 30  # each has an even chance to break a tie of two numbers the other way
MARGIN = 10.0
ROUNDING = 2.0**-21  # the error given to a layer's numbers: that of a sum of some hundred products in float32
SMALLEST = 2.0**-100  # differences below it are no failure: on the way there numbers are too small for float32
BFLOAT16_ROUNDING = 2.0**-8  # to the factors of products in bfloat16

_FACTORS = ("convolution", "convolution_backward")
_SUMS = ("convolution", "depthwise", "dense")
_COMPUTED = (
    *_FACTORS,
    "dense",
    "dense_backward",
    "activate",
    "activate_backward",
    "average_pooling",
    "average_pooling_backward",
    "batch_normalization",
    "batch_normalization_backward",
    "batch_statistics",
    "batch_statistics_backward",
    "depthwise",
    "depthwise_backward",
    "max_pooling_backward",
    "prelu",
    "prelu_backward",
)


@dataclass
class Findings:
    """The faults of a case, and the size of its differences.

    Attributes:
        failures: a sentence for each array that is too far off.
        worst: by what was asked, the largest difference within the tolerance, as a share of the array's largest number.
        ill_conditioned: how many arrays were allowed more than the tolerance.
        compared: how many arrays there were.
    """

    failures: list[str] = field(default_factory=list)
    worst: dict[str, float] = field(default_factory=dict)
    ill_conditioned: int = 0
    compared: int = 0


class Oracle:
    """The reference's answers to a case, computed once for all instruction sets.

    Training depends on the augmented images, in which the sets may differ by a grey level.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self._outputs: dict[bytes, Outputs] = {}
        self._spreads: dict[tuple[bytes, Precision], list[dict[str, float]]] = {}

    @cached_property
    def augmentation(self) -> NDArray[np.uint8]:
        options = self.case.options
        return augment(self.case.images[self.case.order], options.augmentation, options.augmentation_key)

    def outputs(self, seen: NDArray[np.uint8]) -> Outputs:
        """Compute all answers; those of training are for the images of an epoch after augmentation."""
        if (key := seen.tobytes()) not in self._outputs:
            self._outputs[key] = compute(ReferenceNetwork(self.case.architecture, self.case.weights), self.case, seen)
        return self._outputs[key]

    def spreads(self, seen: NDArray[np.uint8], precision: Precision) -> Iterator[dict[str, float]]:
        """Yield by how much errors of the precision's size in each layer change each answer, trial after trial."""
        known = self._spreads.setdefault((seen.tobytes(), precision), [])
        for trial in range(MAX_TRIALS):
            if trial == len(known):
                known.append(measure_rounding_spread(self.case, seen, self.outputs(seen), precision, trial))
            yield known[trial]


def check_case(oracle: Oracle, instruction_set: str, precision: Precision) -> Findings:
    """Compare the native engine's answers to the oracle's case with the reference's."""
    findings, case = Findings(), oracle.case
    change, key = case.options.augmentation, case.options.augmentation_key
    seen = case.images[case.order]
    if change != Augmentation():
        expected = oracle.augmentation
        seen = native.augment(seen, change, key, 0, instruction_set)
        off = np.abs(seen.astype(int) - expected)
        findings.worst["augmentation"] = float(np.mean(off > 0))
        if off.max() > 1 or np.count_nonzero(off) > max(3, 0.01 * off.size):
            findings.failures.append(f"augmentation differs by {off.max()} grey levels, {np.mean(off > 0):.1%} do")
    network = NativeNetwork(case.architecture, case.weights, case.threads, instruction_set, precision)
    values = compute(network, case)
    expected = oracle.outputs(seen)
    if values.keys() != expected.keys():
        findings.failures.append(f"only one engine gives {sorted(values.keys() ^ expected.keys())}")
        return findings
    findings.compared = len(values)
    largest: dict[str, float] = {}  # of all arrays of a group: what cancels to less is left with errors of this size
    for name, value in expected.items():
        largest[group(name)] = max(largest.get(group(name), 0.0), float(np.abs(value).max(initial=0)))
    suspects = {}
    for name, value in values.items():
        difference, scale = distance(value, expected[name]), float(np.abs(expected[name]).max(initial=0))
        step = name.partition("/")[0]
        if difference <= TOLERANCES[step][precision] * scale:
            findings.worst[step] = max(findings.worst.get(step, 0.0), difference / scale if scale else 0.0)
        elif difference > max(ROUNDING * largest[group(name)], SMALLEST):
            suspects[name] = difference, scale
    if suspects:
        spread = dict.fromkeys(suspects, 0.0)
        for changes in oracle.spreads(seen, precision):
            spread = {name: max(size, changes[name]) for name, size in spread.items()}
            if all(difference <= MARGIN * spread[name] for name, (difference, _) in suspects.items()):
                break
        for name, (difference, scale) in suspects.items():
            if difference <= MARGIN * spread[name]:
                findings.ill_conditioned += 1
            else:
                findings.failures.append(
                    f"{name} differs by {difference:.2g}, its largest number is {scale:.2g}, "
                    f"and roundings change it by {spread[name]:.2g}"
                )
    return findings


def group(name: str) -> str:
    """Name the group of answers over which a layer's errors spread: gradients, and a step's results of them."""
    is_gradient = name.startswith(("gradients/", "by layer/", "by image/", "state/m/", "state/v/"))
    return name.rsplit("/", 2)[0] if is_gradient else name


def distance(value: NDArray[Any], expected: NDArray[Any]) -> float:
    """Compute the largest difference; infinite if the shapes differ or a number is not finite."""
    if value.shape != expected.shape or not np.isfinite(value).all():
        return float("inf")
    return float(np.abs(value.astype(np.float64) - expected).max(initial=0))


def measure_rounding_spread(
    case: Case, seen: NDArray[np.uint8], expected: Outputs, precision: Precision, trial: int
) -> dict[str, float]:
    """Measure by how much errors of the precision's size in each layer change each array of the reference."""
    image = case.architecture.input
    offset = image.offset * (1 + ROUNDING * (-1) ** trial)  # a pixel that should become 0 may not in float32
    architecture = replace(case.architecture, input=replace(image, offset=offset))
    with add_rounding_errors(precision, trial, case.options.weight_bits is not None):
        changed = compute(ReferenceNetwork(architecture, case.weights), case, seen)
    return {name: distance(value, expected[name]) for name, value in changed.items()}


@contextmanager
def add_rounding_errors(precision: Precision, trial: int, few_levels: bool) -> Iterator[None]:
    """Let the reference's layers compute with errors as rounding makes them; each trial has others.

    Args:
        few_levels: whether weights are whole multiples of a step. Then different windows often have equal sums, or
            sums of zero, which float32 rounds differently: a pooling takes another, or a relu lets it through.
    """

    def rough(function: Callable[..., Any], has_rounded_factors: bool) -> Callable[..., Any]:
        def add_to_results(*arguments: Any) -> Any:
            if has_rounded_factors:
                arguments = tuple(
                    add_errors(argument, BFLOAT16_ROUNDING, trial, None)
                    if isinstance(argument, np.ndarray)
                    else argument
                    for argument in arguments
                )
            result, first = function(*arguments), arguments[0]
            if function.__name__ == "batch_statistics":
                mean, variance = (add_errors(number, ROUNDING, trial) for number in result)
                return mean, np.maximum(variance, 0)
            if isinstance(result, tuple):
                return tuple(add_errors(number, ROUNDING, trial) for number in result)
            error, size = ROUNDING, 0.0
            is_average = "average" in function.__name__
            if is_average:  # the errors of a sum of equal numbers add up
                error *= 1 + max(first.size / result.size, result.size / first.size) / 8
            if function.__name__ in ("batch_statistics_backward", "activate_backward"):
                # A difference of numbers as large as the first argument, and a product with one of numbers like 1.
                size = float(np.abs(first).max(initial=0))
            if function.__name__ == "batch_statistics_backward":
                # The mean of many equal numbers, which float32 sums block by block, is off by the same for all of them.
                error *= 1 + (first.size / first.shape[-1]) ** 0.5 / 4
            # Windows with the same pixels in another order have the same mean, but in float32 not always the same sum.
            zeros: bool | NDArray[np.bool_] = function.__name__ == "batch_statistics_backward"
            if function.__name__ == "average_pooling":  # a mean that cancels to 0
                zeros = function(np.abs(first), *arguments[1:]) != 0
            is_sum = few_levels and function.__name__ in _SUMS
            return add_errors(result, error, trial, size, zeros | is_sum, by_place=is_average or is_sum)

        return add_to_results

    def rough_loss(logits: NDArray[Any], *arguments: Any) -> NDArray[Any]:
        dlogits = loss_backward(logits, *arguments)
        # Differences of a probability and a number of which one is nearly the other.
        return (add_errors(dlogits * len(logits) + 1, ROUNDING, trial, None) - 1) / len(logits)

    whole = {name: getattr(reference_passes, name) for name in _COMPUTED}
    loss_backward = reference.cross_entropy_backward
    try:
        for name, function in whole.items():
            setattr(reference_passes, name, rough(function, precision == "bfloat16" and name in _FACTORS))
        reference.cross_entropy_backward = rough_loss
        yield
    finally:
        for name, function in whole.items():
            setattr(reference_passes, name, function)
        reference.cross_entropy_backward = loss_backward


def add_errors(
    values: NDArray[Any],
    error: float,
    trial: int,
    size: float | None = 0.0,
    zeros: bool | NDArray[np.bool_] = False,
    by_place: bool = False,
) -> NDArray[Any]:
    """Add errors to numbers, of at most a share of their own size and of the largest number's.

    The error of a number follows from its bits alone, so that equal numbers stay equal, unless `by_place`. In every
    fourth trial all errors go the same way, as those of many nearly equal numbers do.

    Args:
        size: of what else the errors are a share where it is larger than the largest number; None for their own alone.
        zeros: whether zeros get errors too, or which.
        by_place: whether equal numbers at two places get two errors.
    """
    values = np.asarray(values, np.float64)
    bits = (values.view(np.uint64) + np.uint64(trial)) * np.uint64(0x9E3779B97F4A7C15)
    if by_place:
        bits = bits + np.arange(bits.size, dtype=np.uint64).reshape(bits.shape) * np.uint64(0xD1B54A32D192ED03)
    bits = (bits ^ (bits >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    shares = (bits >> np.uint64(40)) / 2.0**23 - 1  # evenly from -1 to 1
    if trial % 4 == 3:
        shares = np.full_like(shares, 1 if trial % 8 == 3 else -1)
    sizes = np.abs(values)
    if size is not None:
        sizes = sizes + max(size, float(sizes.max(initial=0))) * (zeros | (values != 0))
    return np.asarray(values + error * shares * sizes)
