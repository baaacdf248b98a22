"""The plan of the memory of an exported header: which values share bytes, and that none is overwritten too early."""

from math import prod

import numpy as np
import pytest
from tests.random_networks import random_model

import convscope as cs
from convscope.architecture import Architecture, Input
from convscope.export.c_header.memory import plan_memory
from convscope.export.c_header.steps import plan_steps


def make_model(*layers: object, size: tuple[int, int, int] = (8, 6, 2)) -> cs.Model:
    """Make a model of these layers with random weights above zero, for images of `size`."""
    network = Architecture(Input(*size), layers)
    rng = np.random.default_rng(0)
    weights = {name: rng.uniform(0.1, 1, shape).astype(np.float32) for name, shape in network.weight_shapes.items()}
    return cs.Model(network, weights, tuple(map(str, range(network.num_classes))))


def test_the_cnn_needs_only_memory_for_the_image_and_its_first_maps() -> None:
    network = cs.presets.cnn()
    weights = {name: np.zeros(shape, np.float32) for name, shape in network.weight_shapes.items()}
    model = cs.Model(network, weights, tuple("0123456789"))
    memory = plan_memory(plan_steps(model), 28 * 28, keep_last=False)
    assert memory.size == 28 * 28 + 26 * 26 * 16  # values; the second convolution's maps are smaller
    assert memory.offsets[1] == memory.offsets[2]  # offset 0 is the image's, n that of step n: pooling works in place


def test_a_shortcut_keeps_its_memory_until_it_is_added() -> None:
    layers = (
        cs.Conv2D(2, 3, padding="same", name="short"), cs.Conv2D(2, 3, padding="same"), cs.Conv2D(2, 3, padding="same"),
        cs.Add("short"), cs.Flatten(), cs.Dense(3),
    )  # fmt: skip
    memory = plan_memory(plan_steps(make_model(*layers)), 96, keep_last=False)
    assert memory.size == 3 * 96  # the shortcut, and the input and output of a convolution, each of 8 · 6 · 2 values
    assert memory.offsets[1] not in memory.offsets[2:4]  # the maps of both convolutions after it


def test_pooling_with_padding_at_the_top_and_left_does_not_work_in_place() -> None:
    layers = (cs.MaxPooling2D(3, 1, "same"), cs.Flatten(), cs.Dense(2))
    assert plan_memory(plan_steps(make_model(*layers)), 96, keep_last=False).size == 2 * 96


@pytest.mark.parametrize("seed", range(40))
def test_no_value_is_overwritten_before_it_is_read(seed: int) -> None:
    model = random_model(np.random.default_rng(seed))
    steps = plan_steps(model)
    sizes = [prod(model.architecture.input.shape), *(prod(step.output_shape) for step in steps)]
    memory = plan_memory(steps, sizes[0], keep_last=True)
    slices = [slice(offset, offset + size) for offset, size in zip(memory.offsets, sizes, strict=True)]
    owner = np.full(memory.size, -1)  # the value that each cell holds: 0 is the image, n the output of step n
    owner[slices[0]] = 0
    for number, step in enumerate(steps, 1):
        for value in step.reads:
            assert (owner[slices[value]] == value).all()
        # A step writes over what it reads only where both begin at the same cell.
        in_place = {value for value in step.reads if memory.offsets[value] == memory.offsets[number]}
        overwritten = set(owner[slices[number]].tolist())
        assert overwritten & set(step.reads) <= in_place
        owner[slices[number]] = number
