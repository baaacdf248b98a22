"""How fast this machine is: the speed of the native engine by names of data, architecture and recipe."""

import platform
from dataclasses import dataclass
from typing import Any

from convscope.data.datasets import LoadOptions
from convscope.evidence.benchmark import Benchmark, Spread, measure_speed
from convscope.experiment.run_json import cpu_name
from convscope.recipes import Precision
from convscope.recipes.presets import DEFAULT_RECIPE
from convscope.runs.choices import RecipeChanges, architecture_for, recipe_for
from convscope.runs.data import load_data
from convscope.runs.listeners import Listeners


@dataclass(frozen=True)
class BenchmarkRequest:
    """What is asked of a benchmark.

    Attributes:
        precision: in place of the recipe's.
        threads: of the engine; None is one a core.
        epochs: how many are timed.
    """

    data: str = "mnist"
    architecture: str = "cnn"
    recipe: str = DEFAULT_RECIPE
    precision: Precision | None = None
    threads: int | None = None
    epochs: int = 7


@dataclass(frozen=True)
class MachineBenchmark:
    """What was measured, and on which processor."""

    cpu: str
    machine: str
    architecture: str
    recipe: str
    speed: Benchmark

    def to_dict(self) -> dict[str, Any]:
        names = {name: getattr(self, name) for name in ("cpu", "machine", "architecture", "recipe")}
        return {**names, **self.speed.to_dict()}

    def __str__(self) -> str:
        speed = self.speed
        work = f"{speed.epoch_gflop:.1f}"
        rows = [
            ("processor", f"{self.cpu} ({self.machine})"),
            ("instruction set", speed.instruction_set),
            ("threads", str(speed.threads)),
            ("precision", speed.precision),
            ("peak, float32", f"{speed.peak_gflops:.0f} GFLOP/s, measured"),
            ("peak, bfloat16", _bfloat16_peak(speed)),
            (
                "an epoch",
                f"{_seconds(speed.epoch_seconds)}: {self.recipe} on {self.architecture}, {speed.num_images:,} images",
            ),
            ("  of it forward", f"{_seconds(speed.forward_seconds)}, timed by itself"),
            ("  images a second", f"{speed.trained_per_second:,.0f}"),
            (
                "share of the peak",
                f"{100 * speed.peak_share:.0f} %: {work} GFLOP an epoch that cannot be left out",
            ),
            ("a prediction", f"{_seconds(speed.prediction_seconds)}: {speed.num_predicted:,} images"),
            ("  images a second", f"{speed.predicted_per_second:,.0f}"),
            ("one image", _seconds(speed.latency_seconds, 1e6, "µs")),
            ("memory", str(speed.memory)),
        ]
        return "\n".join(f"{name:<20}{text}" for name, text in rows)


def run_benchmark(request: BenchmarkRequest, listeners: Listeners) -> MachineBenchmark:
    """Measure how fast the native engine is on this machine.

    Raises:
        ConvscopeError: if data, architecture or recipe cannot be read or do not fit together.
    """
    _, splits = load_data(request.data, LoadOptions(), listeners.on_download)
    network = architecture_for(request.architecture, splits.image_shape, splits.num_classes)
    recipe = recipe_for(request.recipe, RecipeChanges(precision=request.precision))
    speed = measure_speed(network, recipe, splits.train, splits.test, request.threads, request.epochs)
    return MachineBenchmark(cpu_name(), platform.machine(), network.name, request.recipe, speed)


def _bfloat16_peak(result: Benchmark) -> str:
    if result.bfloat16_peak_gflops is None:
        return "this processor has no instructions for it"
    return f"{result.bfloat16_peak_gflops:.0f} GFLOP/s, measured"


def _seconds(times: Spread, factor: float = 1, unit: str = "s") -> str:
    median, minimum, maximum = (f"{factor * t:.4g}" for t in (times.median, times.minimum, times.maximum))
    return f"{median} {unit} ({minimum} to {maximum}, n {times.n})"
