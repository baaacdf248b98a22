"""Print the test accuracy of architectures over seeds: n, mean, sd, 95 % interval of the mean, minimum, maximum.

    .venv/bin/python benchmarks/accuracy.py --architectures cnn ann --recipe classic --seeds 10

The weights of the last epoch are measured; nothing is chosen by the test images. The interval is Student's t over the
seeds: it covers what the seed does, not which test images were drawn. With several precisions each seed is trained in
each of them, and the differences from the first, seed by seed, have a line of their own.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from statistics import mean, median, stdev

import numpy as np
from scipy import stats

import convscope as cs
from convscope.architecture.presets import PRESETS
from convscope.experiment.record import available_cores, cpu_name
from convscope.recipes import PRECISIONS, RECIPES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architectures", nargs="+", default=["cnn", "ann"], choices=list(PRESETS))
    parser.add_argument("--recipe", default="classic", choices=list(RECIPES))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--precisions", nargs="+", default=["float32"], choices=list(PRECISIONS))
    arguments = parser.parse_args()
    data, recipe = cs.load_dataset("mnist"), RECIPES[arguments.recipe]
    print(
        f"{cpu_name()}, {available_cores()} cores; numpy {np.__version__}; recipe {recipe.name}, {recipe.epochs} epochs"
    )
    header = (
        "network",
        "precision",
        "n",
        "mean",
        "sd",
        "95 % interval of the mean",
        "min",
        "max",
        "training s (median, min to max)",
    )
    print(" | ".join(header))
    for name in arguments.architectures:
        accuracies: dict[str, list[float]] = {precision: [] for precision in arguments.precisions}
        seconds: dict[str, list[float]] = {precision: [] for precision in arguments.precisions}
        for seed in range(arguments.seeds):
            for precision in arguments.precisions:
                model, history = cs.train(PRESETS[name], data.train, replace(recipe, precision=precision), seed=seed)
                accuracies[precision].append(100 * cs.evaluate(model, data.test).accuracy)
                seconds[precision].append(sum(history.seconds))
        first = accuracies[arguments.precisions[0]]
        for precision, values in accuracies.items():
            times = seconds[precision]
            spread = f"{median(times):.2f} ({min(times):.2f} to {max(times):.2f})"
            print(" | ".join([name, precision, *_cells(values), spread]), flush=True)
        for precision, values in accuracies.items():
            if values is not first:
                differences = [value - other for value, other in zip(values, first, strict=True)]
                print(" | ".join([name, f"{precision} - {arguments.precisions[0]}", *_cells(differences)]), flush=True)


def _cells(values: Sequence[float]) -> tuple[str, ...]:
    n, sd = len(values), stdev(values)
    half = stats.t.ppf(0.975, n - 1) * sd / n**0.5
    return (
        str(n),
        f"{mean(values):.3f} %",
        f"{sd:.3f}",
        f"[{mean(values) - half:.3f}, {mean(values) + half:.3f}]",
        f"{min(values):.2f}",
        f"{max(values):.2f}",
    )


if __name__ == "__main__":
    main()
