"""The names of layers, activations, optimizers and their arguments that the compiled engine knows."""

from dataclasses import fields
from typing import get_args

import pytest

from convscope.architecture import ActivationName
from convscope.architecture.layer_json import LAYER_KINDS
from convscope.engine import _native
from convscope.recipes.augmentation import Augmentation
from convscope.recipes.optimizers import OPTIMIZERS


def test_the_engine_knows_every_kind_of_layer_and_every_activation() -> None:
    layer = _native.Layer()
    for kind in LAYER_KINDS:
        layer.kind = kind
    for activation in get_args(ActivationName):
        layer.activation = activation


def test_the_engine_knows_every_optimizer_and_augmentation_with_all_arguments() -> None:
    optimizer, augmentation = _native.Optimizer(), _native.Augmentation()
    for name, kind in OPTIMIZERS.items():
        optimizer.kind = name
        assert kind.__name__ == name
        for field in fields(kind):
            assert field.name == "learning_rate" or hasattr(optimizer, field.name), field.name
    for field in fields(Augmentation):
        assert hasattr(augmentation, field.name), field.name


@pytest.mark.parametrize("field", ["kind", "activation"])
def test_an_unknown_name_is_refused_with_the_known_ones(field: str) -> None:
    with pytest.raises(ValueError, match=r"the engine has no Dense3D; it has \w+, \w+"):
        setattr(_native.Layer(), field, "Dense3D")
