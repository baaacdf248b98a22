"""Hold the attack of the report against a much stronger one: the accuracy that each leaves at every ε, on MNIST.

python benchmarks/attack_strength.py [--recipes fast classic] [--images 500] [--seed 0] [--epsilons 2 4 8 ...]

The report's attack is `measure_attacks` as it is. The stronger one is the same projected gradient descent on the
margin, with 200 steps at every ε and ten starts of every image from other random places. What either fools at some ε
counts as fooled at any larger one. The last column is how many points the report's figure lies above the lower of the
two.
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


def stronger(model: cs.Model, dataset: cs.Dataset, indices: NDArray[np.int64], sizes: list[int]) -> dict[int, float]:
    """Measure for each ε the accuracy that the stronger attack leaves on the images at `indices`."""
    images, labels = dataset.images[indices], dataset.labels[indices].astype(np.int64)
    right = model.predict(images) == labels
    accuracies = dict[int, float]()
    for size in sizes:
        for seed in range(1, _RESTARTS + 1):  # one start a call, since `pgd` gives up images that are far from fooled
            left = np.flatnonzero(right)
            attacked = pgd(
                model, images[left], labels[left], size, steps=_STEPS, restarts=1, seed=seed, indices=indices[left]
            )
            right[left] = model.predict(attacked) == labels[left]
        accuracies[size] = float(right.mean())
    return accuracies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", default=["fast", "classic"])
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="of training")
    parser.add_argument("--epsilons", type=int, nargs="+", default=[size for size in EPSILONS if size])
    arguments = parser.parse_args()

    data = cs.load_dataset("mnist")
    print(f"device              {machine.describe()['processor']}, load {machine.load()[0]}")
    print(f"python, convscope   {platform.python_version()}, {version('convscope')}")
    for name in arguments.recipes:
        model, _ = cs.train(presets.cnn(), data, getattr(cs.recipes, name), seed=arguments.seed)
        start = time.perf_counter()
        ours = measure_attacks(model, data.test, epsilons=(0, *arguments.epsilons), most_images=arguments.images)
        seconds = time.perf_counter() - start
        theirs = stronger(model, data.test, evenly(len(data.test), ours.num_images), arguments.epsilons)
        print(
            f"\ncnn by {name}, seed {arguments.seed}, n = {ours.num_images} test images; the report's attack: ", end=""
        )
        print(f"{seconds:.0f} s")
        print("|  ε | report's, 95 % interval | 200 steps, 10 starts | points above |")
        print("| ---: | ---: | ---: | ---: |")
        for attack in ours.attacks:
            if attack.method == "pgd" and attack.epsilon:
                low, high = wilson_interval(round(attack.accuracy * ours.num_images), ours.num_images)
                theirs_here = theirs[attack.epsilon]
                above = attack.accuracy - min(attack.accuracy, theirs_here)
                print(
                    f"| {attack.epsilon} | {100 * attack.accuracy:.1f} % [{100 * low:.1f}, {100 * high:.1f}] "
                    f"| {100 * theirs_here:.1f} % | {100 * above:.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
