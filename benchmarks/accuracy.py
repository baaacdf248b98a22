"""Print the test accuracy of architectures over seeds: n, mean, sd, 95 % interval of the mean, minimum, maximum.

    .venv/bin/python benchmarks/accuracy.py --architectures cnn ann --recipe classic --seeds 10

The weights of the last epoch are measured; nothing is chosen by the test images. The interval is Student's t over the
seeds: it covers what the seed does, not which test images were drawn.
"""

import argparse
from statistics import mean, median, stdev

import numpy as np
from scipy import stats

import convscope as cs
from convscope.architecture.presets import PRESETS
from convscope.cli.record import available_cores, cpu_name
from convscope.recipes import RECIPES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architectures", nargs="+", default=["cnn", "ann"], choices=list(PRESETS))
    parser.add_argument("--recipe", default="classic", choices=list(RECIPES))
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    data, recipe = cs.load_dataset("mnist"), RECIPES[arguments.recipe]
    print(
        f"{cpu_name()}, {available_cores()} cores; numpy {np.__version__}; recipe {recipe.name}, {recipe.epochs} epochs"
    )
    header = (
        "network",
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
        accuracies, seconds = [], []
        for seed in range(arguments.seeds):
            model, history = cs.train(PRESETS[name], data.train, recipe, seed=seed)
            accuracies.append(100 * cs.evaluate(model, data.test).accuracy)
            seconds.append(sum(history.seconds))
        n, sd = len(accuracies), stdev(accuracies)
        half = stats.t.ppf(0.975, n - 1) * sd / n**0.5
        cells = (
            name,
            str(n),
            f"{mean(accuracies):.3f} %",
            f"{sd:.3f}",
            f"[{mean(accuracies) - half:.3f}, {mean(accuracies) + half:.3f}]",
            f"{min(accuracies):.2f}",
            f"{max(accuracies):.2f}",
            f"{median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})",
        )
        print(" | ".join(cells), flush=True)


if __name__ == "__main__":
    main()
