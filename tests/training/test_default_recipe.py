"""The recipe that trains a network if none is given."""

from dataclasses import replace

import numpy as np
import pytest

import convscope as cs
from convscope.architecture.presets import PRESETS, preset_of, widen
from convscope.recipes import RECIPES
from convscope.training import default_recipe


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_brings_its_own_recipe_also_for_other_images_and_widths(name: str):
    for network in (PRESETS[name]((28, 28, 1), 10), PRESETS[name]((40, 32, 3), 4)):
        assert preset_of(network) == preset_of(widen(network, 1.5)) == name
        assert default_recipe(network) == RECIPES.get(name, cs.recipes.classic)


def test_another_network_of_the_same_name_does_not_match():
    layers = (cs.Flatten(), cs.Dense(10, "softmax"))
    for name in ("tiny697", "tiny697-x2", "tiny697-xy", "residual"):
        network = cs.Architecture(cs.Input(28, 28), layers, name)
        assert preset_of(network) is None
        assert default_recipe(network) is cs.recipes.classic
    scaled = replace(cs.presets.tiny697(), input=cs.Input(28, 28, scale=1.0))
    assert default_recipe(scaled) is cs.recipes.classic


@pytest.mark.slow
def test_training_in_python_uses_the_presets_recipe_unless_one_is_named(small_mnist: cs.Splits):
    few = small_mnist.train.take(np.arange(64))
    own, _ = cs.train("tiny697", few)
    assert own.provenance["recipe"] == cs.recipes.tiny697.to_dict()
    named, _ = cs.train("tiny697", few, "fast")
    assert named.provenance["recipe"] == cs.recipes.fast.to_dict()
    data = cs.Splits(few, small_mnist.test.take(np.arange(20)))
    runs = cs.run_experiment(["tiny697", "ann"], data, seeds=[0]).runs
    assert [run.recipe for run in runs] == ["tiny697", "classic"]
