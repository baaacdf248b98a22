"""The memory that a training process takes, compared with the bound that convscope states."""

import json
import subprocess
import sys
from typing import Any

import pytest

import convscope as cs
from convscope.engine import EpochOptions, native
from convscope.recipes import Augmentation
from convscope.training.memory import measure_memory, training_bytes

# Bytes for Python's own allocator, the threads' stacks, code that is loaded late, and fragments that malloc keeps.
SLACK = 6 * 2**20

# Trains on random images in a process of its own, and prints its peak memory before it made them and at the end.
PROGRAM = """
import json, sys
import numpy as np
import convscope as cs
from convscope.architecture import Architecture
from convscope.training.memory import measure_memory, peak_memory_bytes
request = json.loads(sys.argv[1])
architecture, recipe = Architecture.from_dict(request["architecture"]), cs.Recipe.from_dict(request["recipe"])
def images(count, shape):
    pixels = np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)
    return cs.Dataset(pixels, np.arange(count) % 10, tuple("0123456789"))
cs.train(cs.presets.ann, images(16, (4, 4, 1)), recipe, threads=2)  # so that all code is loaded
start = peak_memory_bytes()
data = cs.Splits(*(images(request[part], architecture.input.shape) for part in ("train", "test")))
cs.train(architecture, data, recipe, threads=2)
print(json.dumps({"start": start, **measure_memory(architecture, recipe, data.train, data.test, threads=2).to_dict()}))
"""


def make_wide() -> cs.Architecture:
    """Make a network whose batch takes more memory than its weights."""
    layers = (
        cs.Conv2D(24, 3, padding="same"), cs.BatchNormalization(activation="relu"),
        cs.Conv2D(24, 3, padding="same", activation="relu"), cs.MaxPooling2D(2), cs.Flatten(), cs.Dense(10, "softmax"),
    )  # fmt: skip
    return cs.Architecture(cs.Input(32, 32, 3), layers, name="wide")


def make_heavy() -> cs.Architecture:
    """Make a network whose weights take more memory than its batch."""
    return cs.Architecture(
        cs.Input(16, 16), (cs.Flatten(), cs.Dense(2000, "relu"), cs.Dense(1000, "relu"), cs.Dense(10))
    )


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere the peak is not the program's own")
@pytest.mark.parametrize(
    ("architecture", "recipe", "train", "test"),
    [
        (cs.presets.cnn(), cs.Recipe(epochs=2), 4000, 1000),
        (make_wide(), cs.Recipe(epochs=1, batch_size=128, clip_norm=1.0, augmentation=Augmentation(rotation=5)), 256,
         64),
        (make_heavy(), cs.Recipe(epochs=2, averaging=0.9), 128, 64),
    ],
    ids=["cnn", "wide", "heavy"],
)  # fmt: skip
def test_a_process_that_trains_stays_within_its_bound(
    architecture: cs.Architecture, recipe: cs.Recipe, train: int, test: int
) -> None:
    request = {"architecture": architecture.to_dict(), "recipe": recipe.to_dict(), "train": train, "test": test}
    command = [sys.executable, "-c", PROGRAM, json.dumps(request)]
    completed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    memory = json.loads(completed.stdout)
    taken_bytes = memory["peak_memory_bytes"] - memory["start"] - memory["data_bytes"]
    assert taken_bytes <= memory["training_bytes"] + SLACK
    assert taken_bytes >= memory["training_bytes"] / 4  # else the bound would be useless


def test_memory_of_the_engine_grows_with_the_batch_and_not_with_the_images(small_mnist: cs.Splits) -> None:
    sizes = [native.training_bytes(cs.presets.cnn(), batch, EpochOptions(), threads=2) for batch in (8, 64, 512)]
    assert 4 * 108_618 * 3 < sizes[0] < sizes[1] < sizes[2]  # the weights, and Adam's two moments of each
    assert sizes[2] < sizes[0] + 512 * 4 * 10_000  # fewer than 10,000 numbers of 4 bytes for an image
    half = small_mnist.train.take(range(500))
    bounds = [
        training_bytes(cs.presets.cnn(), cs.Recipe(), part, small_mnist.test) for part in (half, small_mnist.train)
    ]
    assert bounds[1] - bounds[0] == 500 * 16  # the order and the labels of an epoch


def test_every_option_that_takes_memory_counts() -> None:
    plain = native.training_bytes(cs.presets.cnn(), 64, EpochOptions(), threads=1)
    weights = 4 * 108_618
    options: list[dict[str, Any]] = [{"averaging": 0.9}, {"clip_norm": 1.0}, {"weight_bits": 4}]
    for option in options:
        assert native.training_bytes(cs.presets.cnn(), 64, EpochOptions(**option), threads=1) >= plain + weights
    turning = EpochOptions(augmentation=Augmentation(rotation=5))
    assert native.training_bytes(cs.presets.cnn(), 64, turning, threads=1) > plain
    assert native.training_bytes(cs.presets.cnn(), 64, EpochOptions(), threads=2) > plain


def test_the_reference_has_no_bound(small_mnist: cs.Splits) -> None:
    memory = measure_memory(cs.presets.cnn(), cs.Recipe(), small_mnist.train, small_mnist.test, "reference")
    assert memory.training_bytes is None
    assert memory.data_bytes == sum(
        part.images.nbytes + part.labels.nbytes for part in (small_mnist.train, small_mnist.test)
    )
    assert "to train" not in str(memory)


def test_a_batch_of_no_images_is_rejected() -> None:
    with pytest.raises(ValueError, match="batch_size is 0"):
        native.training_bytes(cs.presets.cnn(), 0, EpochOptions())
