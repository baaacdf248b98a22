"""The specification of a run: its digest, and the training images that it draws."""

from dataclasses import replace

import numpy as np
import pytest

import convscope as cs
from convscope.engine import initial_weights
from convscope.experiment import RunSpec
from convscope.experiment.spec import _write_definition
from convscope.experiment.worker import train_one
from convscope.training import TrainingState

from .conftest import ONE_EPOCH, tiny

SPEC = RunSpec("mnist", tiny(), ONE_EPOCH, 3)


def make_uneven_splits(sizes: tuple[int, ...]) -> cs.Splits:
    """Make data with the given number of images for each class, in the order of their labels."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    images = np.zeros((len(labels), 4, 4, 1), np.uint8)
    images[:, 0, 0, 0] = np.arange(len(labels)) % 251
    names = tuple(f"class {label}" for label in range(len(sizes)))
    return cs.Splits(cs.Dataset(images, labels, names), cs.Dataset(images[:9], labels[:9], names, split="test"))


CHANGES = {
    "seed": {"seed": 4}, "recipe": {"recipe": replace(ONE_EPOCH, epochs=2)},
    "architecture": {"architecture": cs.presets.ann()}, "engine": {"engine": "reference"},
    "number of images": {"num_images": 999}, "seed of the weights": {"weights_seed": 4},
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGES)
def test_every_input_of_the_result_changes_the_digest(small_mnist: cs.Splits, case: str):
    assert replace(SPEC, **CHANGES[case]).digest(small_mnist) != SPEC.digest(small_mnist)


def test_other_data_change_the_digest(small_mnist: cs.Splits):
    fewer_train = cs.Splits(small_mnist.train.take(np.arange(999)), small_mnist.test)
    fewer_test = cs.Splits(small_mnist.train, small_mnist.test.take(np.arange(299)))
    assert len({SPEC.digest(splits) for splits in (small_mnist, fewer_train, fewer_test)}) == 3


def test_names_and_paths_do_not_change_the_digest(small_mnist: cs.Splits):
    renamed = RunSpec("elsewhere", replace(tiny(), name="a"), replace(ONE_EPOCH, name="b"), 3, name="c")
    assert renamed.digest(small_mnist) == SPEC.digest(small_mnist)
    assert replace(SPEC, num_images=1000).digest(small_mnist) == SPEC.digest(small_mnist)


@pytest.mark.parametrize("count", [1, 10, 55, 100, 109])
def test_a_draw_takes_the_same_share_of_each_class(count: int):
    splits = make_uneven_splits((60, 30, 0, 20))
    for seed in range(5):
        drawn = replace(SPEC, seed=seed, num_images=count).draw(splits).train
        wanted = count * splits.train.class_counts / 110  # of all 60 + 30 + 20 images
        assert len(drawn) == count
        assert (abs(drawn.class_counts - wanted) <= 1).all()


def test_a_smaller_draw_of_a_seed_is_part_of_its_larger_one(small_mnist: cs.Splits):
    small, large = (replace(SPEC, num_images=count).draw(small_mnist).train for count in (100, 300))
    keys = {image.tobytes() for image in large.images}
    assert all(image.tobytes() in keys for image in small.images)


BAD = {
    "a seed below zero": ({"seed": -1}, "seed is -1"),
    "no images": ({"num_images": 0}, "num_images is 0; it must be at least 1"),
    "more images than there are": ({"num_images": 1001}, "num_images is 1,001, but mnist has 1,000 training images"),
}


@pytest.mark.parametrize("case", BAD)
def test_an_impossible_run_is_refused_with_a_reason(small_mnist: cs.Splits, case: str):
    change, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        replace(SPEC, **change).digest(small_mnist)


def test_a_seed_of_the_weights_changes_only_the_initial_weights(small_mnist: cs.Splits):
    assert replace(SPEC, weights_seed=3) == SPEC  # the seed of the spec
    reseeded = train_one(replace(SPEC, weights_seed=4), small_mnist, 1)
    assert reseeded.model.weights_sha256 != train_one(SPEC, small_mnist, 1).model.weights_sha256
    state = TrainingState(initial_weights(tiny(), 4))
    expected, _ = cs.train(tiny(), small_mnist, ONE_EPOCH, seed=3, threads=1, state=state)
    assert reseeded.model.weights_sha256 == expected.weights_sha256
    with pytest.raises(ValueError, match="weights_seed is for random weights"):
        replace(SPEC, weights_seed=4, start="model.safetensors")


def test_a_digest_does_not_depend_on_number_types_or_cached_values(small_splits: cs.Splits):
    values = [0.0, 0, -0.0, 0]
    specs = [RunSpec("", tiny(), cs.Recipe(epochs=1, label_smoothing=value), 0) for value in values]
    digests = list[str]()
    for spec in specs:
        _write_definition.cache_clear()
        digests.append(spec.digest(small_splits))
    assert len(set(digests)) == 1
    assert specs[0].group_digest(small_splits) == specs[1].group_digest(small_splits)
