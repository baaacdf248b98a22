"""The map of test images by their hidden activations, beside scikit-learn's."""

from functools import partial

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from tests.noise import init_model, random_dataset

import convscope as cs
from convscope.evidence.explanation.embedding import agreements, find_embedded_layer, neighbours, principal_components

noise = partial(random_dataset, seed=3, split="test")


# --- Principal components ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(60, 9), (12, 40)])
def test_principal_components_are_scikit_learn_s(shape):
    values = np.random.default_rng(0).normal(size=shape) @ np.diag(np.linspace(3, 0.1, shape[1])) + 5
    points, ratios, directions = principal_components(values, 3)
    np.testing.assert_allclose((values - values.mean(axis=0)) @ directions, points, atol=1e-9)
    oracle = PCA(3, svd_solver="full").fit(values)
    theirs = oracle.transform(values)
    theirs *= np.sign((theirs * points).sum(axis=0))  # a component and its mirror image are both correct
    np.testing.assert_allclose(points, theirs, atol=1e-9)
    np.testing.assert_allclose(ratios[:3], oracle.explained_variance_ratio_, atol=1e-12)
    assert ratios.sum() == pytest.approx(1)
    assert len(ratios) == min(shape)


@pytest.mark.parametrize("shape", [(60, 9), (12, 40)])
def test_components_have_a_positive_largest_coefficient(shape):
    for seed in range(5):
        values = np.random.default_rng(seed).normal(size=shape)
        points, _, _ = principal_components(values, 3)
        directions = (values - values.mean(axis=0)).T @ points  # the components' directions times positive numbers
        assert (directions[np.abs(directions).argmax(axis=0), range(3)] > 0).all()


def test_components_beyond_the_rank_are_zero():
    points, ratios, directions = principal_components(np.array([[1.0], [2], [4], [5]]), 2)
    assert points.tolist() == [[-2, 0], [-1, 0], [1, 0], [2, 0]]  # less the mean of 3
    assert (ratios.tolist(), directions.tolist()) == ([1], [[1, 0]])
    points, ratios, _ = principal_components(np.ones((5, 3)), 2)
    assert (points.any(), ratios.any()) == (False, False)


# --- Neighbourhoods ---------------------------------------------------------------------------------------------------


def test_neighbours_and_their_agreement_are_scikit_learn_s():
    stream = np.random.default_rng(0)
    points, labels = stream.normal(size=(80, 6)), stream.integers(0, 3, 80)
    neighbourhood = neighbours(points, 7)
    np.testing.assert_array_equal(neighbourhood, neighbours(points, 79)[:, :7])
    theirs = NearestNeighbors(n_neighbors=7).fit(points).kneighbors(return_distance=False)
    np.testing.assert_array_equal(neighbourhood, theirs)
    expected = [(labels[theirs[point]] == labels[point]).mean() for point in range(80)]
    np.testing.assert_allclose(agreements(neighbourhood, labels), expected)


def test_ties_go_to_the_first_points_and_no_point_neighbours_itself():
    assert neighbours(np.zeros((4, 2)), 3).tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]
    half = np.random.default_rng(0).integers(0, 4, (25, 2)).astype(float)
    points = np.concatenate([half, -half])  # with a mean of zero, all squared distances are exact whole numbers
    distances = np.square(points[:, None] - points).sum(axis=2)
    distances[range(50), range(50)] = np.inf
    np.testing.assert_array_equal(neighbours(points, 7), np.argsort(distances, axis=1, kind="stable")[:, :7])


# --- The embedding of a network ---------------------------------------------------------------------------------------


def test_the_embedding_shows_the_input_of_the_last_dense_layer():
    model, dataset = init_model(cs.presets.cnn((10, 10, 1), 4)), noise(50, (10, 10, 1), 4)
    embedding = cs.embed(model, dataset)
    hidden = model.activations(dataset.images, ["dense"])["dense"].astype(np.float64)
    assert (embedding.layer, embedding.num_dimensions) == ("dense", 128)
    theirs = PCA(2, svd_solver="full").fit(hidden)
    np.testing.assert_allclose(np.abs(embedding.points.unpack()), np.abs(theirs.transform(hidden)), atol=1e-4)
    np.testing.assert_allclose(embedding.explained_variance[:2], theirs.explained_variance_ratio_, atol=1e-6)
    projected = hidden @ embedding.directions.unpack() - embedding.offset
    np.testing.assert_allclose(projected, embedding.points.unpack(), atol=1e-4)
    nearest = NearestNeighbors(n_neighbors=10).fit(hidden).kneighbors(return_distance=False)
    shares = (dataset.labels[nearest] == dataset.labels[:, None]).mean(axis=1)
    assert embedding.agreement == pytest.approx(shares.mean())
    by_class = [shares[dataset.labels == label].mean() for label in range(4)]
    np.testing.assert_allclose(embedding.agreement_by_class, by_class)
    np.testing.assert_array_equal(embedding.predicted, model.predict(dataset.images))


def test_classes_that_the_network_separates_have_neighbours_of_their_own():
    labels = np.arange(40) % 2
    levels = 100 * labels + np.arange(40)  # grey levels of class 0 up to 38, of class 1 from 101
    images = np.broadcast_to(levels.reshape(40, 1, 1, 1), (40, 4, 4, 1)).astype(np.uint8)
    dataset = cs.Dataset(images, labels, ("0", "1"))
    layers = (cs.Flatten(), cs.Dense(5, "tanh"), cs.Dense(2))
    embedding = cs.embed(init_model(cs.Architecture(cs.Input(4, 4), layers)), dataset)
    assert (embedding.agreement, embedding.agreement_in_picture) == (1, 1)
    assert embedding.chance_agreement == pytest.approx(19 / 39)  # of 39 other images 19 have the same label


def test_the_hidden_layer_is_found_in_any_network():
    def layer_of(*layers):
        return find_embedded_layer(cs.Architecture(cs.Input(8, 8), layers))

    assert layer_of(cs.Flatten(), cs.Dense(2)) == "flatten"
    assert layer_of(cs.Flatten(), cs.Dense(4), cs.Dropout(0.5), cs.Dense(2)) == "dropout"
    assert layer_of(cs.Flatten(), cs.Dense(4), cs.Dense(2), cs.BatchNormalization()) == "dense"
    relu, softmax = cs.Activation("relu"), cs.Activation("softmax")
    assert layer_of(cs.Flatten(), cs.Dense(4), relu, cs.Dense(2), softmax) == "activation"
    assert layer_of(cs.Conv2D(3), cs.GlobalAveragePooling2D()) == "conv2d"
    assert layer_of(cs.Conv2D(3), cs.GlobalAveragePooling2D(), cs.Activation("softmax")) == "conv2d"
    assert layer_of(cs.GlobalAveragePooling2D(), cs.BatchNormalization(), cs.Dense(2)) == "batch_normalization"


def test_of_many_images_evenly_taken_ones_are_embedded_and_the_rest_counted():
    dataset = noise(90, (8, 8, 3), 100)
    embedding = cs.embed(init_model(cs.presets.ann((8, 8, 3), 100)), dataset, max_images=30)
    np.testing.assert_array_equal(embedding.indices, np.linspace(0, 89, 30).round())
    np.testing.assert_array_equal(embedding.labels, dataset.labels[list(embedding.indices)])
    assert (embedding.num_images, embedding.num_images_left_out) == (30, 60)
    absent = set(range(100)) - set(embedding.labels)
    assert {label for label, share in enumerate(embedding.agreement_by_class) if share is None} == absent


# --- The result -------------------------------------------------------------------------------------------------------


def test_text_and_html_show_a_line_for_each_class():
    embedding = cs.embed(init_model(cs.presets.cnn((10, 10, 1), 4)), noise(30, (10, 10, 1), 4))
    lines = str(embedding).splitlines()
    assert lines[0].startswith("30 test images of noise: 128 numbers of dense in 2, 0.")
    assert len(lines) == 2 + 2 + 4 + 1  # title, table header, classes, all
    assert lines[-1].split()[:2] == ["all", "30"]
    assert ">3</td>" in embedding._repr_html_()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_images": 3}, "3 images are too few to embed; take at least 4"),
        ({"dataset": noise(9, (10, 10, 1), 3)}, "noise has 3 classes"),
        ({"dataset": noise(9, (9, 10, 1), 4)}, r"needs uint8 \(N, 10, 10, 1\)"),
    ],
)
def test_mismatched_arguments_are_rejected(options, message):
    with pytest.raises(ValueError, match=message):
        cs.embed(init_model(cs.presets.cnn((10, 10, 1), 4)), **{"dataset": noise(9, (10, 10, 1), 4), **options})
