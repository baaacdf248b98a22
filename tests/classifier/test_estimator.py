"""`CNNClassifier`: what `fit` learns, each parameter, errors, copies, and its import."""

# ruff: noqa: N806  (X is scikit-learn's name)

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils.class_weight import compute_class_weight

import convscope as cs
from convscope import CNNClassifier


def two_epochs(**parameters):
    """Return a classifier that trains for two epochs, unless `parameters` say otherwise."""
    return CNNClassifier(**{"epochs": 2, "random_state": 0} | parameters)


# --- Learning ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_digits_are_learned_from_unscaled_numbers(digits):
    X_train, X_test, y_train, y_test = digits
    assert CNNClassifier(random_state=0).fit(X_train, y_train).score(X_test, y_test) > 0.97


@pytest.mark.slow
def test_colours_are_learned_from_images_that_are_not_square(colours):
    images, names = colours
    classifier = CNNClassifier(random_state=0).fit(images[:90], names[:90])
    assert classifier.image_shape_ == (9, 7, 3)
    assert classifier.classes_.tolist() == ["blue", "green", "red"]
    assert classifier.model_.class_names == ("blue", "green", "red")
    assert classifier.score(images[90:], names[90:]) == 1


# --- The same as `train` ----------------------------------------------------------------------------------------------


def test_fit_is_train_with_that_seed_bit_for_bit(small_mnist):
    train = small_mnist.train
    classifier = CNNClassifier("cnn", "fast", random_state=7, epochs=1).fit(train.images, train.labels)
    model, history = cs.train(cs.presets.cnn, train, cs.recipes.fast, seed=7)
    assert classifier.model_.weights_sha256 == model.weights_sha256
    assert classifier.history_.loss == history.loss
    images = small_mnist.test.images
    np.testing.assert_array_equal(classifier.decision_function(images), model.logits(images).astype(np.float64))
    np.testing.assert_array_equal(classifier.predict_proba(images), model.probabilities(images))
    np.testing.assert_array_equal(classifier.predict(images), model.predict(images))


@pytest.mark.slow
def test_the_shapes_of_x_and_the_number_of_threads_change_no_bit(small_mnist):
    images, labels = small_mnist.train.images[:200], small_mnist.train.labels[:200]
    digests = {
        two_epochs(threads=threads).fit(X, labels).model_.weights_sha256
        for X in (images, images[..., 0], images.reshape(200, -1), images / 255)
        for threads in (1, 2)
    }
    assert len(digests) == 1
    rows = images.reshape(200, -1).tolist()  # its numbers are not of type uint8, so each column is scaled by its range
    assert two_epochs(threads=1).fit(rows, labels).model_.weights_sha256 not in digests


def test_a_random_state_is_a_seed_or_draws_one(digits):
    X, _, y, _ = digits

    def digest(random_state):
        return two_epochs(epochs=1, random_state=random_state).fit(X[:99], y[:99]).model_.weights_sha256

    assert digest(1) == digest(np.int64(1)) != digest(2)
    assert digest(np.random.RandomState(3)) == digest(np.random.RandomState(3))
    shared = np.random.RandomState(3)
    assert digest(shared) != digest(shared)
    np.random.seed(5)
    assert digest(None) != digest(None)


def test_the_decision_between_two_classes_is_the_difference_of_their_logits(digits):
    X, X_test, y, _ = digits
    classifier = two_epochs().fit(X[y < 2], y[y < 2] * 3 - 1)  # the classes -1 and 2
    decision = classifier.decision_function(X_test)
    logits = classifier.model_.logits(classifier.pixel_range_.to_bytes(X_test).reshape(-1, 8, 8, 1))
    np.testing.assert_allclose(decision, logits[:, 1] - logits[:, 0], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(classifier.predict(X_test), np.where(decision > 0, 2, -1))
    np.testing.assert_allclose(classifier.predict_proba(X_test)[:, 1], 1 / (1 + np.exp(-decision)))


# --- Parameters -------------------------------------------------------------------------------------------------------


def test_parameters_override_those_of_the_recipe(digits):
    X, _, y, _ = digits
    classifier = CNNClassifier(
        "ann", "fast", epochs=np.int64(3), batch_size=50, learning_rate=0.002, validation_fraction=0.2, random_state=0
    ).fit(X[:300], y[:300])
    recipe = classifier.model_.provenance["recipe"]
    assert (recipe["epochs"], recipe["batch_size"], recipe["validation_fraction"]) == (3, 50, 0.2)
    assert recipe["optimizer"]["learning_rate"] == 0.002
    assert recipe["optimizer"]["beta_2"] == cs.recipes.fast.optimizer.beta_2
    assert len(classifier.history_.val_accuracy) == classifier.n_iter_ == 3
    assert classifier.model_.name == "ann"


@pytest.mark.slow
def test_few_images_are_seen_often_unless_a_recipe_or_epochs_says_how_often(digits):
    X, _, y, _ = digits
    X, y = X[:200], y[:200]
    assert CNNClassifier("ann").fit(X, y).n_iter_ == 250  # 500 steps, two an epoch
    assert CNNClassifier("ann", cs.Recipe(epochs=2)).fit(X, y).n_iter_ == 2
    assert CNNClassifier("ann", epochs=3).fit(X, y).n_iter_ == 3


def test_an_architecture_is_a_name_a_value_or_a_function(digits):
    X, _, y, _ = digits
    layers = (cs.Flatten(), cs.Dense(10, "softmax"))
    value = cs.Architecture(cs.Input(4, 16), layers, "linear")
    assert two_epochs(architecture=value, image_shape=(4, 16)).fit(X, y).model_.architecture is value
    of_function = two_epochs(architecture=lambda shape, k: cs.Architecture(cs.Input(*shape), layers, f"of {k}")).fit(
        X, y
    )
    assert of_function.model_.name == "of 10"


def test_class_weights_are_scikit_learn_s(digits):
    X, _, y, _ = digits
    few = np.concatenate([np.flatnonzero(y == 1)[:90], np.flatnonzero(y == 8)[:10]])
    names = np.where(y == 1, "one", "eight")[few]
    eight_weight, one_weight = compute_class_weight("balanced", classes=np.array(["eight", "one"]), y=names)
    as_dict = {"eight": float(eight_weight), "one": float(one_weight)}

    def train_digest(weight):
        return two_epochs(class_weight=weight).fit(X[few], names).model_.weights_sha256

    balanced, unweighted = train_digest("balanced"), train_digest(None)
    weighted = train_digest({"eight": 5.0})
    assert train_digest(as_dict) == balanced
    assert train_digest({"eight": 5.0, "one": 1.0}) == weighted  # a class that is not named has weight 1
    assert len({balanced, weighted, unweighted}) == 3


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"architecture": "resnet"}, ValueError, "architecture is 'resnet'; it must be one of auto, cnn, ann"),
        ({"architecture": 3}, TypeError, "architecture is 3"),
        ({"architecture": lambda *_: None}, TypeError, "architecture returned None"),
        ({"architecture": cs.presets.cnn()}, ValueError, r"reads 28 × 28 × 1"),
        ({"recipe": "slow"}, ValueError, "recipe is 'slow'; it must be one of classic, fast"),
        ({"epochs": 0}, ValueError, "epochs is 0"),
        ({"epochs": 2.0}, TypeError, "float"),
        ({"class_weight": "fair"}, ValueError, "class_weights is 'fair'"),
        ({"class_weight": 2}, ValueError, "class_weight is 2"),
        ({"class_weight": {11: 2.0}}, ValueError, "not in class_weight"),
        ({"image_shape": (8, 9)}, ValueError, "image_shape is"),
        ({"threads": 0}, ValueError, "threads is 0"),
        ({"random_state": "x"}, ValueError, "x"),
    ],
)
def test_fit_refuses_a_wrong_parameter_and_keeps_what_was_learned_before(digits, fitted, parameters, error, message):
    X, _, y, _ = digits
    classifier = two_epochs(**parameters)  # the constructor checks nothing
    with pytest.raises(error, match=message):
        classifier.fit(X[:60], y[:60])
    with pytest.raises(NotFittedError):
        classifier.predict(X)
    classifier = copy.deepcopy(fitted)
    before = classifier.predict_proba(X)
    with pytest.raises(error, match=message):
        classifier.set_params(**parameters).fit(X[:60], y[:60])
    np.testing.assert_array_equal(classifier.predict_proba(X), before)


@pytest.fixture(scope="module")
def fitted(digits):
    X, _, y, _ = digits
    return two_epochs().fit(X[:60], y[:60])


@pytest.mark.parametrize(
    ("threads", "omp_num_threads", "architecture", "expected"),
    [
        (None, "", "cnn", None),
        (None, "3", "cnn", 3),  # joblib divides the cores among its workers in this way
        (None, "0", "cnn", None),
        (None, "4,2", "cnn", None),
        (2, "3", "cnn", 2),
        (None, "3", "ann", 1),  # too little work for two
        (2, "3", "ann", 2),
    ],
)
def test_threads_are_the_requested_number_or_that_of_the_environment(
    small_mnist, monkeypatch, threads, omp_num_threads, architecture, expected
):
    monkeypatch.setenv("OMP_NUM_THREADS", omp_num_threads)
    counts = []

    def train(*arguments, threads, **options):
        counts.append(threads)
        return cs.train(*arguments, **options)

    monkeypatch.setattr("convscope.classifier.estimator.train", train)
    few = small_mnist.train.take(np.arange(64))
    two_epochs(architecture=architecture, threads=threads, epochs=1).fit(few.images, few.labels)
    assert counts == [expected]


# --- Errors -----------------------------------------------------------------------------------------------------------


def test_images_of_another_size_are_refused(colours):
    images, names = colours
    classifier = two_epochs().fit(images, names)
    assert classifier.n_features_in_ == 9 * 7 * 3
    np.testing.assert_array_equal(classifier.predict(images.reshape(120, -1)), classifier.predict(images))
    with pytest.raises(ValueError, match=r"images in X are \(7, 9, 3\), but CNNClassifier was trained on \(9, 7, 3\)"):
        classifier.predict(images.swapaxes(1, 2))
    with pytest.raises(ValueError, match="features"):
        classifier.predict(images[..., 0])
    with pytest.raises(ValueError, match="image_shape"):
        two_epochs(image_shape=(7, 9, 3)).fit(images, names)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [(6, 4), (6, 2, 2), (6, 2, 2, 1)])
def test_numbers_that_are_not_finite_are_refused_in_any_shape(bad, shape):
    X = np.arange(24.0).reshape(shape)
    classifier = two_epochs().fit(X, [0, 1] * 3)
    X.flat[5] = bad
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        two_epochs().fit(X, [0, 1] * 3)
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        classifier.predict(X)


@pytest.mark.parametrize("shape", [(0, 4), (0, 2, 2), (0, 2, 2, 3), (4, 0), (4, 0, 2), (4, 1, 2, 1, 2), (4,)])
def test_x_without_images_or_of_another_kind_is_refused(shape):
    with pytest.raises(ValueError, match=r"sample|feature|dim|1D"):
        two_epochs().fit(np.zeros(shape), np.arange(shape[0]) % 2)


@pytest.mark.parametrize(
    ("y", "message"), [([1] * 4, "one class"), ([0.5, 0.1, 0.2, 0.9], "label type"), ([0, 1, 0], "inconsistent")]
)
def test_labels_that_are_no_classes_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        two_epochs().fit(np.eye(4), y)


# --- Copies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make_copy", [copy.deepcopy, lambda fitted: pickle.loads(pickle.dumps(fitted))])
def test_a_copy_of_a_fitted_classifier_predicts_and_trains_alike(digits, make_copy):
    X, X_test, y, _ = digits
    original = two_epochs().fit(X, y)
    original.predict(X_test)  # now it holds a network of the engine, which no copy can share
    fresh_copy = make_copy(original)
    np.testing.assert_array_equal(fresh_copy.predict_proba(X_test), original.predict_proba(X_test))
    for classifier in (original, fresh_copy):
        classifier.fit(X, y)
    assert fresh_copy.model_.weights_sha256 == original.model_.weights_sha256


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_importing_convscope_does_not_import_scikit_learn():
    completed = run_python(
        "import sys, convscope; from convscope import *; dir(convscope); print('sklearn' in sys.modules)"
    )
    assert completed.stdout == "False\n", completed.stderr
    assert "CNNClassifier" in dir(cs)


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["sklearn", "sklearn.utils.validation"])
def test_without_scikit_learn_the_error_names_the_extra(missing):
    completed = run_python(
        f"import sys; sys.modules[{missing!r}] = None\n"  # an import of it then fails
        "import convscope\n"
        "for kind in (ImportError, convscope.ConvscopeError):\n"  # the error is of both kinds
        "    try: convscope.CNNClassifier\n"
        "    except kind as error: print(error)\n"
    )
    assert completed.stdout.count('pip install "scikit-learn') == 2, completed.stderr
