"""`sample_weight` and validation images of `CNNClassifier`: what they change, also in scikit-learn's tools; errors."""

# ruff: noqa: N806  (X is scikit-learn's name)

import numpy as np
import pytest
import sklearn
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import convscope as cs
from convscope import CNNClassifier


def dense(**parameters):
    return CNNClassifier("ann", **{"epochs": 2, "random_state": 0} | parameters)


@pytest.fixture(scope="module")
def few(digits):
    """(X, y, sample_weight) of 200 images."""
    X, _, y, _ = digits
    return X[:200], y[:200], np.random.default_rng(0).integers(0, 4, 200) / 2


# --- What they change -------------------------------------------------------------------------------------------------


def test_weights_are_those_of_a_data_set_bit_for_bit(small_mnist):
    images, labels = small_mnist.train.images[:200], small_mnist.train.labels[:200]
    sample_weight = np.arange(200) % 5
    classifier = dense(recipe=cs.Recipe(epochs=2)).fit(images, labels, sample_weight)
    data = cs.Dataset.from_arrays(images, labels, weights=sample_weight)
    model, history = cs.train(cs.presets.ann, data, cs.Recipe(epochs=2), seed=0)
    assert classifier.model_.weights_sha256 == model.weights_sha256
    assert classifier.history_.loss == history.loss
    assert sample_weight.tolist() == (np.arange(200) % 5).tolist()


def test_weights_of_images_and_classes_multiply(few):
    X, y, sample_weight = few
    threefold = {label: 3.0 if label == 8 else 1.0 for label in range(10)}
    both = dense(class_weight=threefold).fit(X, y, sample_weight)
    product = dense().fit(X, y, sample_weight * np.where(y == 8, 3, 1))
    assert both.model_.weights_sha256 == product.model_.weights_sha256
    for classifier in (dense(class_weight=threefold).fit(X, y), dense().fit(X, y, sample_weight)):
        assert classifier.model_.weights_sha256 != both.model_.weights_sha256


def test_images_of_weight_zero_are_not_learned(digits):
    X, X_test, y, y_test = digits
    wrong = np.random.default_rng(1).random(len(y)) < 0.6
    labels = np.where(wrong, 3, y)
    misled, learned = (dense(epochs=20).fit(X, labels, weight) for weight in (None, ~wrong))
    assert misled.score(X_test, y_test) < 0.5
    assert learned.score(X_test, y_test) > 0.85


def test_validation_images_are_measured_after_each_epoch_without_weights(few):
    X, y, sample_weight = few
    classifier = dense(validation_fraction=0.25).fit(X, y, sample_weight)
    images = classifier.pixel_range_.to_bytes(X).reshape(-1, 8, 8, 1)
    _, held_out = cs.Dataset.from_arrays(images, y, class_names=list("0123456789")).divide(0.25, seed=0)
    history, probabilities = classifier.history_, classifier.model_.probabilities(held_out.images)
    assert (len(history.val_loss), len(history.val_accuracy), history.val_split) == (2, 2, "validation")
    assert history.val_loss[-1] == pytest.approx(log_loss(held_out.labels, probabilities, labels=range(10)), rel=1e-5)
    assert history.val_accuracy[-1] == accuracy_score(held_out.labels, probabilities.argmax(axis=1))


# --- In scikit-learn's tools ------------------------------------------------------------------------------------------


def test_a_pipeline_passes_weights_on(few):
    X, y, sample_weight = few
    pipeline = make_pipeline(StandardScaler(), dense())
    weighted, unweighted = (
        pipeline.fit(X, y, cnnclassifier__sample_weight=weight)[-1].model_.weights_sha256
        for weight in (sample_weight, None)
    )
    assert weighted != unweighted


def test_searches_and_cross_validation_pass_weights_on(few):
    X, y, _ = few
    weight = (y < 2).astype(float)  # the others are not learned, and do not count
    with sklearn.config_context(enable_metadata_routing=True):
        classifier = dense(epochs=20).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scores = cross_validate(classifier, X, y, params={"sample_weight": weight}, cv=2)["test_score"]
        search = GridSearchCV(classifier, {"learning_rate": [0.001, 1e-7]}, cv=2).fit(X, y, sample_weight=weight)
    assert scores.min() > 0.9
    assert search.best_params_ == {"learning_rate": 0.001}
    assert set(search.best_estimator_.predict(X)) == {0, 1}


# --- Errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sample_weight", "message"),
    [
        (np.ones(199), r"sample_weight has shape \(199,\); it must be \(200,\), one number per image"),
        (np.ones((200, 1)), r"sample_weight has shape \(200, 1\)"),
        (np.full(200, -1), "Negative values in data passed to sample_weight"),
        (np.full(200, np.nan), "sample_weight contains NaN"),
        (["heavy"] * 200, "could not convert string to float"),
        (np.zeros(200), "the weights of all 200 training images of X are zero"),
    ],
)
def test_wrong_weights_are_refused(few, sample_weight, message):
    X, y, _ = few
    classifier = dense()
    with pytest.raises(ValueError, match=message):
        classifier.fit(X, y, sample_weight)
    assert not hasattr(classifier, "model_")
