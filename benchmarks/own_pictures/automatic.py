"""Choose network and augmentation by held-out images within a number of multiply-adds; train the choice on all images.

    .venv/bin/python benchmarks/own_pictures/automatic.py [--sets letters,icons] [--seeds 5] [--budget 4e12]

A trial of the rule that `--recipe auto` is to follow. Multiply-adds are counted and not timed, so the same seed gives
the same choice on any machine. Seven or eight trials take a twelfth of the budget each, the final training the rest.
Each line shows what was chosen, and its accuracy on the test images, which choose nothing.
"""

import argparse
import sys
import time
from math import ceil
from typing import NamedTuple

import numpy as np
from sets import SETS, load

import convscope as cs

NETWORKS = {"cnn": ("cnn", 1.0), "wide": ("wide", 1.0), "wide*2": ("wide", 2.0), "residual*0.5": ("residual", 0.5)}
TRIAL_SHARE = 1 / 12  # of the budget
TRAINING_PASSES = 3  # forward, and gradients with respect to the inputs and to the weights
BATCH = 64
MIN_STEPS, MAX_TRIAL_STEPS, MAX_STEPS = 30, 6_000, 10_000


class Trial(NamedTuple):
    """A training on four fifths of the training images.

    Attributes:
        loss: the mean of -log p of the correct class over the other fifth, which varies less than an accuracy of few
            images.
    """

    network: str
    augmentation: str
    steps: int
    accuracy: float
    loss: float


class Search:
    """Trials on a data set."""

    def __init__(self, data: cs.Dataset, budget: float, seed: int) -> None:
        self.data, self.budget, self.seed = data, budget, seed
        self.train, self.held_out = data.divide(0.2, seed)
        self.augmentations = augmentations(min(data.image_shape[:2]))
        self.trials = list[Trial]()

    def try_choice(self, network: str, augmentation: str) -> Trial:
        """Train a choice within a trial's share and measure it on the held-out images."""
        model, steps = self._fit(self.train, network, augmentation, self.budget * TRIAL_SHARE, MAX_TRIAL_STEPS)
        evaluation = cs.evaluate(model, self.held_out)
        trial = Trial(network, augmentation, steps, float(evaluation.accuracy), float(evaluation.loss))
        self.trials.append(trial)
        return trial

    def choose(self) -> Trial:
        """Choose the network with shifts alone, then the augmentation of that network."""
        shift = min((self.try_choice(name, "shift") for name in NETWORKS), key=lambda trial: trial.loss)
        bend, flip, cutout = (self.try_choice(shift.network, name) for name in ("bend", "flip", "cutout"))
        candidates = [shift, bend, flip, cutout]
        if max(bend.loss, flip.loss) < shift.loss:  # both help, so perhaps together too
            candidates.append(self.try_choice(shift.network, "bend and flip"))
        return min(candidates, key=lambda trial: trial.loss)

    def train_choice(self, choice: Trial) -> cs.Model:
        """Train a choice on all images with the rest of the budget."""
        rest = self.budget * (1 - TRIAL_SHARE * len(self.trials))
        return self._fit(self.data, choice.network, choice.augmentation, rest, MAX_STEPS)[0]

    def _fit(
        self, data: cs.Dataset, network: str, augmentation: str, budget: float, max_steps: int
    ) -> tuple[cs.Model, int]:
        """Train as many steps as the budget allows; return the model and the number of steps."""
        preset, width = NETWORKS[network]
        architecture = cs.presets.widen(getattr(cs.presets, preset)(data.image_shape, data.num_classes), width)
        wanted = int(np.clip(budget / (TRAINING_PASSES * architecture.macs * BATCH), MIN_STEPS, max_steps))
        steps_per_epoch = ceil(len(data) / BATCH)
        epochs = max(1, round(wanted / steps_per_epoch))
        steps = epochs * steps_per_epoch
        recipe = cs.Recipe(
            epochs=epochs,
            batch_size=BATCH,
            optimizer=cs.Adam(learning_rate=0.004, beta_2=0.99, weight_decay=0.02),  # those of `thorough`
            schedule=cs.Schedule("linear", warmup=0.1),
            label_smoothing=0.1,
            augmentation=self.augmentations[augmentation],
            averaging=min(0.999, max(0.0, 1 - 20 / steps)),  # over a twentieth of the steps, at most a thousand
        )
        return cs.train(architecture, data, recipe, seed=self.seed)[0], steps


def augmentations(side: int) -> dict[str, cs.Augmentation]:
    """Make the augmentations to choose from, for images whose shorter side has `side` pixels."""
    shift = max(1, round(0.07 * side))
    bend = {"rotation": 14.0, "stretch": 0.14, "shear": 11.3}  # those of `residual`
    return {
        "shift": cs.Augmentation(shift),
        "bend": cs.Augmentation(shift, **bend),
        "flip": cs.Augmentation(shift, horizontal_flip=True),
        "bend and flip": cs.Augmentation(shift, horizontal_flip=True, **bend),
        "cutout": cs.Augmentation(shift, cutout=max(2, round(0.28 * side))),
    }


def main() -> int:
    """Choose and train on each set, and print what was tried."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budget", type=float, default=4e12, help="multiply-adds")
    options = parser.parse_args()
    for name in options.sets.split(","):
        splits = load(name)
        for seed in range(options.seeds):
            start = time.perf_counter()
            search = Search(splits.train, options.budget, seed)
            choice = search.choose()
            accuracy = cs.evaluate(search.train_choice(choice), splits.test).accuracy
            seconds = time.perf_counter() - start
            chosen = f"{choice.network}, {choice.augmentation}"
            print(f"{name}, seed {seed}: {100 * accuracy:.2f} % by {chosen}, {seconds:.0f} s")
            for trial in search.trials:
                print(
                    f"  {trial.network:<13}{trial.augmentation:<14}{trial.steps:>6} steps {trial.loss:.3f}", flush=True
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
