"""Compare the attack of the report with a much stronger one: the accuracy under each at every ε, on MNIST.

python benchmarks/attack_strength.py [--recipes fast classic] [--images 500] [--seed 0] [--epsilons 2 4 8 ...]

The report's attack is `measure_attacks` as it is. The stronger one is the same projected gradient descent on the
margin, with 200 steps at every ε and ten random starts for every image. An image that is misclassified at some ε counts
as misclassified at any larger one. The last column is the difference in points between the report's accuracy and the
lower of the two.
"""

import argparse
import platform
import time
from importlib.metadata import version

import machine
import numpy as np
from numpy.typing import NDArray

import convscope as cs
from convscope.architecture import presets
from convscope.base.metrics import wilson_interval
from convscope.data.datasets import evenly
from convscope.evidence.robustness import measure_attacks, pgd
from convscope.evidence.robustness.attacks import EPSILONS

_STEPS, _RESTARTS = 200, 10


def measure_stronger_attack(
    model: cs.Model, dataset: cs.Dataset, indices: NDArray[np.int64], epsilons: list[int]
) -> dict[int, float]:
    """Measure for each ε the accuracy under the stronger attack, on the images at `indices`."""
    images, labels = dataset.images[indices], dataset.labels[indices].astype(np.int64)
    is_correct = model.predict(images) == labels
    accuracies = dict[int, float]()
    for epsilon in epsilons:
        for seed in range(1, _RESTARTS + 1):  # one start in each call, since `pgd` gives up images that resist at first
            rest = np.flatnonzero(is_correct)
            attacked = pgd(
                model, images[rest], labels[rest], epsilon, steps=_STEPS, restarts=1, seed=seed, indices=indices[rest]
            )
            is_correct[rest] = model.predict(attacked) == labels[rest]
        accuracies[epsilon] = float(is_correct.mean())
    return accuracies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", default=["fast", "classic"])
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="seed of the training")
    parser.add_argument("--epsilons", type=int, nargs="+", default=[size for size in EPSILONS if size])
    arguments = parser.parse_args()

    data = cs.load_dataset("mnist")
    print(f"device              {machine.describe()['processor']}, load {machine.load()[0]}")
    print(f"python, convscope   {platform.python_version()}, {version('convscope')}")
    for name in arguments.recipes:
        model, _ = cs.train(presets.cnn(), data, getattr(cs.recipes, name), seed=arguments.seed)
        start = time.perf_counter()
        report = measure_attacks(model, data.test, epsilons=(0, *arguments.epsilons), max_images=arguments.images)
        seconds = time.perf_counter() - start
        stronger = measure_stronger_attack(
            model, data.test, evenly(len(data.test), report.num_images), arguments.epsilons
        )
        print(
            f"\ncnn by {name}, seed {arguments.seed}, n = {report.num_images} test images; the report's attack: ",
            end="",
        )
        print(f"{seconds:.0f} s")
        print("|  ε | report's, 95 % interval | 200 steps, 10 starts | points above |")
        print("| ---: | ---: | ---: | ---: |")
        for attack in report.attacks:
            if attack.method == "pgd" and attack.epsilon:
                low, high = wilson_interval(round(attack.accuracy * report.num_images), report.num_images)
                accuracy = stronger[attack.epsilon]
                above = attack.accuracy - min(attack.accuracy, accuracy)
                print(
                    f"| {attack.epsilon} | {100 * attack.accuracy:.1f} % [{100 * low:.1f}, {100 * high:.1f}] "
                    f"| {100 * accuracy:.1f} % | {100 * above:.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
