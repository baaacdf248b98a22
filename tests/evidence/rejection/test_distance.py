"""The score by distance from the classes in the hidden layer."""

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import oas
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from tests.noise import init_model

import convscope as cs
from convscope.base.packing import Packed
from convscope.evidence.rejection.distance import (
    MAX_NUMBERS,
    HiddenDistance,
    distance_layer,
    fit_distance,
    hidden_features,
)


def make_network(*layers, shape=(6, 5, 1)):
    return cs.Architecture(cs.Input(*shape), layers)


def make_blobs(count=400, num_classes=4, shape=(6, 5, 1)):
    """Draw images that scatter about a mean image of their class."""
    stream = np.random.default_rng(3)
    means = stream.integers(60, 190, (num_classes, *shape))
    labels = stream.integers(0, num_classes, count)
    images = np.clip(means[labels] + stream.normal(0, 40, (count, *shape)), 0, 255).astype(np.uint8)
    return cs.Dataset(images, labels, tuple(f"class {number}" for number in range(num_classes)), "blobs")


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ((cs.Flatten(), cs.Dense(8, "relu"), cs.Dense(4)), "dense"),
        ((cs.Flatten(), cs.Dense(8, "relu"), cs.Dropout(0.5), cs.Dense(4)), "dropout"),
        ((cs.Flatten(), cs.Dense(4)), "flatten"),
        ((cs.Conv2D(4, 3), cs.GlobalAveragePooling2D()), "input"),
        ((cs.Conv2D(6, 3), cs.Conv2D(4, 3), cs.GlobalAveragePooling2D()), "conv2d"),
    ],
)
def test_the_hidden_layer_is_the_input_of_the_last_weights(layers, expected):
    assert distance_layer(make_network(*layers)) == expected


@pytest.mark.parametrize("layers", [(cs.Flatten(), cs.Dense(9, "tanh"), cs.Dense(4)), (cs.Flatten(), cs.Dense(4))])
def test_the_score_is_the_distance_to_all_images_minus_the_smallest_distance_to_a_class(layers):
    """Both are squared Mahalanobis distances, here with whole covariances, of which the product keeps a few axes."""
    model, dataset = init_model(make_network(*layers)), make_blobs()
    features = hidden_features(model, dataset.images, distance_layer(model.architecture)).astype(np.float64)
    means = np.stack([features[dataset.labels == label].mean(axis=0) for label in range(4)])
    spread = features - means[dataset.labels]
    within, _ = oas(spread, assume_centered=True)
    offsets = means - features.mean(axis=0)
    between = offsets.T * (dataset.class_counts / len(dataset)) @ offsets  # of the class means
    inverse, inverse_of_all = np.linalg.inv(within), np.linalg.inv(within + between)
    seen = make_blobs(30).images[::-1]
    expected = []
    for feature in hidden_features(model, seen, distance_layer(model.architecture)).astype(np.float64):
        to_all = mahalanobis(feature, features.mean(axis=0), inverse_of_all) ** 2
        expected.append(to_all - min(mahalanobis(feature, mean, inverse) ** 2 for mean in means))
    distance = fit_distance(model, dataset)
    assert distance.axes.shape == (features.shape[1], 3)
    np.testing.assert_allclose(distance.scores(model, seen), expected, rtol=1e-4, atol=1e-4)


def test_without_shrinking_the_axes_are_those_of_scikit_learns_discriminant_analysis(monkeypatch):
    monkeypatch.setattr("convscope.evidence.rejection.distance._shrink_covariance", lambda covariance, _: covariance)
    model, dataset = init_model(make_network(cs.Flatten(), cs.Dense(4))), make_blobs(3000)
    distance = fit_distance(model, dataset)
    features = hidden_features(model, dataset.images, "flatten").astype(np.float64)
    theirs = LinearDiscriminantAnalysis(solver="svd").fit(features, dataset.labels).transform(features)
    computed = (features - distance.centre.unpack()) @ distance.axes.unpack()
    correlations = np.abs(np.corrcoef(computed.T, theirs.T)[:3, 3:])  # (3, 3), of our axes with theirs
    np.testing.assert_allclose(correlations[::-1].diagonal(), 1, atol=1e-6)  # our last axis is their first


def test_an_evenly_grey_image_scores_lower_than_nearly_all_training_images():
    model, dataset = init_model(make_network(cs.Flatten(), cs.Dense(4))), make_blobs()
    distance = fit_distance(model, dataset)
    grey = np.full((1, 6, 5, 1), 125, np.uint8)  # the middle of the class means, 60 to 190
    assert distance.scores(model, grey)[0] < np.quantile(distance.scores(model, dataset.images), 0.01)


def test_blocks_of_images_give_the_scores_of_all_at_once(monkeypatch):
    model, dataset = init_model(make_network(cs.Flatten(), cs.Dense(9, "relu"), cs.Dense(4))), make_blobs()
    whole = fit_distance(model, dataset)
    expected = whole.scores(model, dataset.images)
    monkeypatch.setattr("convscope.evidence.rejection.distance._BLOCK_BYTES", 4000)
    np.testing.assert_allclose(whole.scores(model, dataset.images), expected, rtol=1e-9)


@pytest.mark.parametrize(("num_classes", "shape"), [(4, (6, 5, 1)), (30, (40, 40, 3)), (200, (16, 16, 1))])
def test_a_fitted_distance_holds_a_limited_amount_of_numbers(num_classes, shape):
    model = init_model(make_network(cs.Flatten(), cs.Dense(num_classes), shape=shape))
    distance = fit_distance(model, make_blobs(2 * num_classes, num_classes, shape))
    numbers = sum(getattr(distance, name).unpack().size for name in ("centre", "axes", "variances", "means"))
    assert numbers <= MAX_NUMBERS
    assert distance.axes.shape[0] == min(2048, int(np.prod(shape)))  # larger layers are thinned to 2,048 numbers


@pytest.mark.parametrize("labels", [[0] * 12, [0, 1] * 6])
def test_classes_of_equal_images_and_classes_without_images_give_finite_scores(labels):
    dataset = make_blobs(12)
    alike = cs.Dataset(np.full_like(dataset.images, 7), np.array(labels), dataset.class_names)
    model = init_model(make_network(cs.Flatten(), cs.Dense(4)))
    assert np.isfinite(fit_distance(model, alike).scores(model, dataset.images)).all()


def test_a_distance_of_another_network_is_refused():
    distance = fit_distance(init_model(make_network(cs.Flatten(), cs.Dense(9), cs.Dense(4))), make_blobs())
    with pytest.raises(ValueError, match="layer 'dense' gives 8 numbers; the distance was fitted to one of 9"):
        distance.scores(init_model(make_network(cs.Flatten(), cs.Dense(8), cs.Dense(4))), make_blobs().images)
    with pytest.raises(ValueError, match="layer 'dense' is missing"):
        distance.scores(init_model(make_network(cs.Conv2D(4, 3), cs.GlobalAveragePooling2D())), make_blobs().images)


def test_images_of_another_size_are_refused_where_the_hidden_layer_is_the_image():
    model = init_model(make_network(cs.Conv2D(4, 3), cs.GlobalAveragePooling2D()))
    distance = fit_distance(model, make_blobs())
    with pytest.raises(ValueError, match="this model needs uint8"):
        distance.scores(model, np.zeros((1, 5, 6, 1), np.uint8))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"centre": np.zeros(5, np.uint8)}, "centre is uint8"),
        ({"centre": np.zeros(4, np.float32)}, r"centre is float32 of the shape \(4,\)"),
        ({"means": np.zeros((2, 3), np.float32)}, r"means is float32 of the shape \(2, 3\)"),
        ({"means": np.full((2, 1), np.nan, np.float32)}, "means holds a value that is not finite"),
        ({"means": np.zeros((0, 1), np.float32)}, r"means is float32 of the shape \(0, 1\)"),
        ({"variances": np.zeros(1, np.float32)}, "variances above zero"),
    ],
)
def test_a_distance_whose_parts_do_not_fit_is_refused(change, message):
    parts = {
        "centre": np.zeros(5, np.float32),
        "axes": np.ones((5, 1), np.float32),
        "variances": np.ones(1, np.float32),
        "means": np.zeros((2, 1), np.float32),
    }

    def distance(arrays):
        return HiddenDistance(layer="dense", **{name: Packed.from_array(array) for name, array in arrays.items()})

    distance(parts)
    with pytest.raises(ValueError, match=message):
        distance(parts | change)
