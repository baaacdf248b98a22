"""Ensembles: their probabilities are the mean of their members', for members of any architecture."""

from dataclasses import replace

import numpy as np
import pytest
from tests.noise import init_model

import convscope as cs
from convscope.data.handwriting import Handwriting
from convscope.engine import open_network
from convscope.training.ensemble import ensemble_siblings

NAMES = ("cat", "dog", "<b>cow</b>")
IMAGE = cs.Input(9, 7, 3, 1 / 100, -0.3)
NETWORKS = {
    "plain": (cs.Conv2D(4, 3, activation="relu"), cs.MaxPooling2D(), cs.Flatten(), cs.Dense(3, "softmax")),
    "dense": (cs.Flatten(), cs.Dense(9, "tanh", name="d"), cs.Dense(9), cs.Add("d"), cs.Dropout(0.5), cs.Dense(3)),
    "residual": (cs.Conv2D(4, 3, padding="same", name="a"), cs.BatchNormalization(activation="relu"),
        cs.Conv2D(4, 3, padding="same"), cs.Add("a", "relu"), cs.Concatenate("input"), cs.GlobalAveragePooling2D(),
        cs.Dense(3), cs.Activation("softmax")),
    "without a dense layer": (cs.Conv2D(3, 3), cs.GlobalAveragePooling2D()),
}  # fmt: skip


def make_member(network="plain", seed=0, image=IMAGE, **arguments):
    architecture = cs.Architecture(image, NETWORKS[network], network)
    return init_model(architecture, seed=seed, **{"class_names": NAMES, **arguments})


def images(count=12):
    return np.random.default_rng(0).integers(0, 256, (count, 9, 7, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "networks",
    [
        ["plain", "plain"],
        ["plain", "dense", "residual", "without a dense layer"],
        ["without a dense layer", "residual"],
        ["without a dense layer", "without a dense layer", "without a dense layer"],
        ["dense", "dense"],
    ],
)
def test_the_probabilities_are_the_mean_over_members(networks):
    members = [make_member(network, seed) for seed, network in enumerate(networks)]
    joined = cs.ensemble(members)
    expected = np.mean([member.probabilities(images()) for member in members], axis=0)
    np.testing.assert_allclose(joined.probabilities(images()), expected, rtol=1e-5)
    reference = open_network(joined.architecture, joined.weights, "reference")
    np.testing.assert_allclose(joined.logits(images()), reference.logits(images()), rtol=1e-4, atol=1e-5)
    assert joined.architecture.parameters == sum(member.architecture.parameters for member in members)
    assert joined.architecture.macs == sum(member.architecture.macs for member in members)


def test_an_ensemble_has_its_own_temperature():
    joined = cs.ensemble([make_member(calibration={"temperature": 2.0}), make_member(calibration={"temperature": 2.0})])
    assert joined.calibration == {}
    calibrated = replace(joined, calibration={"temperature": 3.0})
    powers = joined.probabilities(images()) ** (1 / 3)
    np.testing.assert_allclose(
        calibrated.calibrated_probabilities(images()), powers / powers.sum(axis=1, keepdims=True), rtol=1e-5
    )


def test_shared_provenance_is_stated_once_and_the_rest_by_member():
    handwriting = Handwriting("light", 6)
    members = [
        make_member(seed=seed, provenance={"dataset": "animals", "seed": seed}, handwriting=handwriting)
        for seed in (3, 4)
    ]
    joined = cs.ensemble(members)
    assert joined.provenance["dataset"] == "animals"
    assert [member["seed"] for member in joined.provenance["members"]] == [3, 4]
    assert [member["weights_sha256"] for member in joined.provenance["members"]] == [m.weights_sha256 for m in members]
    assert joined.handwriting == handwriting
    assert cs.ensemble([members[0], replace(members[1], handwriting=None)]).handwriting is None


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([], "members has 0 models; an ensemble needs at least two"),
        ([make_member()], "members has 1 models; an ensemble needs at least two"),
        ([make_member(), make_member("dense", image=replace(IMAGE, width=8))],
         r"members\[1\] \(dense\) reads images with width 8, but members\[0\] \(plain\) with 7"),
        ([make_member(), make_member(), make_member(image=replace(IMAGE, scale=0.5))],
         r"members\[2\] \(plain\) reads images with scale 0.5, but members\[0\] \(plain\) with 0.01"),
        ([make_member(), make_member(class_names=("cat", "cow", "dog"))],
         r"members\[1\] \(plain\): label 1 is 'cow', but 'dog' in members\[0\] \(plain\)"),
        ([make_member(), cs.ensemble([make_member(), make_member()])],
         r"members\[1\] \(ensemble\) is an ensemble itself"),
    ],
)  # fmt: skip
def test_members_that_do_not_fit_are_refused(members, message):
    with pytest.raises(ValueError, match=message):
        cs.ensemble(members)


def test_members_of_other_numbers_of_classes_are_refused():
    network = cs.Architecture(IMAGE, (cs.Flatten(), cs.Dense(4)), "four")
    wrong = init_model(network, (*NAMES, "hen"))
    with pytest.raises(ValueError, match=r"members\[1\] \(four\) has 4 classes, but members\[0\] \(plain\) has 3"):
        cs.ensemble([make_member(), wrong])


def test_siblings_of_an_ensemble_are_ensembles_of_siblings():
    data = cs.Dataset(images(40), np.arange(40) % 3, NAMES, "animals")
    recipe = cs.Recipe(epochs=1)
    architectures = [cs.Architecture(IMAGE, NETWORKS[name]) for name in ("plain", "dense")]
    fits = [
        cs.crossfit(architecture, data, recipe, folds=2, seed=seed, folds_seed=5)
        for seed, architecture in enumerate(architectures)
    ]
    joined = ensemble_siblings(fits)
    for model, _, held_out in joined.parts(data):
        indices = np.flatnonzero(joined.fold == joined.models.index(model))
        np.testing.assert_array_equal(held_out.labels, data.labels[indices])
        np.testing.assert_allclose(joined.logits[indices], model.logits(held_out.images), rtol=1e-4, atol=1e-5)
