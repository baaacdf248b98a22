"""Confident learning against cleanlab, against a case worked by hand, and on labels that were flipped on purpose."""

import json

import numpy as np
import pytest
from cleanlab.count import compute_confident_joint, get_confident_thresholds
from cleanlab.filter import find_label_issues
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

import convscope as cs
from convscope.base.metrics import softmax
from convscope.evidence.audit import label_suspects
from convscope.training.crossfit import crossfit


def make_dataset(labels, num_classes: int, split: str = "train") -> cs.Dataset:
    images = np.zeros((len(labels), 8, 8, 1), np.uint8)
    names = tuple(f"class {number}" for number in range(num_classes))
    return cs.Dataset(images, np.asarray(labels, np.int64), names, "made up", split)


def draw_case(num_images: int, num_classes: int, used: int, sharpness: float, seed: int = 0):
    """Draw labels from the first `used` classes, and probabilities of a model that agrees with 85 % of them."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, used, num_images)
    logits = sharpness * random.normal(size=(num_images, num_classes))
    logits[np.arange(num_images), np.where(random.random(num_images) < 0.15, (labels + 1) % used, labels)] += 4
    return softmax(logits), labels


def predict_noisy_digits():
    """Compute out-of-fold probabilities of a linear model for 8 × 8 digits, 8 % of whose labels were drawn anew."""
    images, labels = load_digits(return_X_y=True)
    random = np.random.default_rng(1)
    noisy = np.where(random.random(len(labels)) < 0.08, random.integers(0, 10, len(labels)), labels)
    model = LogisticRegression(C=0.01, max_iter=300)
    return cross_val_predict(model, images / 16, noisy, cv=3, method="predict_proba"), noisy


CASES = {
    "two classes": lambda: draw_case(300, 2, 2, 1.5),
    "three classes": lambda: draw_case(500, 3, 3, 2),
    "ten classes": lambda: draw_case(2000, 10, 10, 1.5),
    "classes without images": lambda: draw_case(400, 12, 7, 2),
    "more classes than images": lambda: draw_case(40, 60, 30, 1),
    "float32": lambda: draw_case(800, 5, 5, 2, seed=3),  # converted in `case`
    "a model that knows nothing": lambda: (np.full((90, 3), 1 / 3), np.arange(90) % 3),
    "real digits": predict_noisy_digits,
}


@pytest.fixture(scope="module", params=list(CASES))
def case(request: pytest.FixtureRequest):
    y_prob, labels = CASES[request.param]()
    y_prob = y_prob.astype(np.float32 if request.param == "float32" else np.float64)
    return y_prob, labels, label_suspects(y_prob, make_dataset(labels, y_prob.shape[1]))


def test_thresholds_equal_cleanlabs(case):
    y_prob, labels, suspects = case
    used = np.isin(np.arange(y_prob.shape[1]), labels)
    np.testing.assert_allclose(suspects.thresholds[used], get_confident_thresholds(labels, y_prob)[used], rtol=1e-6)
    assert np.isinf(suspects.thresholds[~used]).all()


def test_the_confident_joint_equals_cleanlabs(case):
    y_prob, labels, suspects = case
    joint = suspects.confident_joint.copy()
    np.fill_diagonal(joint, np.maximum(joint.diagonal(), 1))  # cleanlab counts at least one image there
    np.testing.assert_array_equal(joint, compute_confident_joint(labels, y_prob, calibrate=False))


def test_suspects_that_are_confident_of_a_class_are_cleanlabs(case):
    y_prob, labels, suspects = case
    mask = find_label_issues(labels, y_prob, filter_by="confident_learning", n_jobs=1)
    indices = np.array([suspect.index for suspect in suspects.suspects], int)
    assert set(np.flatnonzero(mask)) <= set(indices.tolist())
    more = np.setdiff1d(indices, np.flatnonzero(mask))
    assert (y_prob[more] < suspects.thresholds).all()  # cleanlab ignores what is confident of no class
    assert (y_prob[more, labels[more]] <= 1 / y_prob.shape[1]).all()


def test_suspects_are_ordered_by_how_much_less_probable_the_label_is_than_the_suggestion(case):
    _, _, suspects = case
    ratios = [suspect.self_confidence / suspect.probability for suspect in suspects.suspects]
    assert ratios == sorted(ratios)


# (probabilities of three classes, label). The threshold of a class is its mean probability over the images that carry
# its label: 0.6 over images 0 to 3, 0.7 over 4 to 6, 0.5 over 7 and 8.
BY_HAND = [
    ([0.8, 0.1, 0.1], 0),  # confident of 0
    ([0.9, 0.1, 0.0], 0),  # confident of 0
    ([0.1, 0.8, 0.1], 0),  # confident of 1: a suspect
    ([0.6, 0.2, 0.2], 0),  # confident of 0, at its threshold
    ([0.1, 0.9, 0.0], 1),  # confident of 1
    ([0.1, 0.9, 0.0], 1),  # confident of 1
    ([0.2, 0.3, 0.5], 1),  # confident of 2, at its threshold: a suspect
    ([0.4, 0.1, 0.5], 2),  # confident of 2, at its threshold
    ([0.5, 0.0, 0.5], 2),  # confident of 2, and below the threshold of 0
]


def test_suspects_equal_a_calculation_by_hand():
    y_prob, labels = (np.array(column) for column in zip(*BY_HAND, strict=True))
    suspects = label_suspects(y_prob, make_dataset(labels, 3))
    np.testing.assert_allclose(suspects.thresholds, [0.6, 0.7, 0.5])
    assert suspects.confident_joint.tolist() == [[3, 1, 0], [0, 2, 1], [0, 0, 2]]
    assert [(x.rank, x.index, x.given_label, x.suggested_label) for x in suspects.suspects] == [
        (1, 2, 0, 1),
        (2, 6, 1, 2),
    ]
    assert [(x.self_confidence, x.probability) for x in suspects.suspects] == [(0.1, 0.8), (0.3, 0.5)]
    assert suspects.num_confident == 9


@pytest.mark.parametrize(
    ("probabilities", "is_suspect"),
    [
        ([0.33, 0.47, 0.20], True),  # confident of no class, and the label is less probable than by chance
        ([0.34, 0.46, 0.20], False),  # confident of no class, and the label is more probable than by chance
    ],
)
def test_a_label_that_is_less_probable_than_by_chance_is_suspect(probabilities, is_suspect):
    y_prob = np.array([probabilities, [0.9, 0.05, 0.05], [0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.05, 0.05, 0.9]])
    suspects = label_suspects(y_prob, make_dataset([0, 0, 0, 1, 2], 3))
    assert suspects.confident_joint.sum() == 4  # all but the first
    assert [(x.index, x.suggested_label, x.probability) for x in suspects.suspects] == [(0, 1, probabilities[1])][
        : int(is_suspect)
    ]


def test_the_order_does_not_depend_on_the_temperature():
    random = np.random.default_rng(5)
    logits, labels = 2 * random.normal(size=(300, 4)), random.integers(0, 4, 300)
    sharp, soft = (label_suspects(softmax(logits / value), make_dataset(labels, 4)).suspects for value in (0.5, 2))
    # What is suspect, and which class is suggested, depends on thresholds and so on the temperature.
    shared = {(x.index, x.suggested_label) for x in sharp} & {(x.index, x.suggested_label) for x in soft}
    orders = [[x.index for x in part if (x.index, x.suggested_label) in shared] for part in (sharp, soft)]
    assert len(orders[0]) > 100
    assert orders[0] == orders[1]


@pytest.mark.slow
def test_flipped_labels_are_found_again(mnist: cs.Splits):
    data = mnist.train.take(np.arange(3000))
    random = np.random.default_rng(0)
    flipped = random.permutation(3000)[:150]  # 5 % get one of the nine other labels
    labels = data.labels.astype(np.int64)
    labels[flipped] = (labels[flipped] + random.integers(1, 10, 150)) % 10
    noisy = cs.Dataset(data.images, labels, data.class_names, data.name, data.split)
    logits = crossfit(cs.presets.ann, noisy, cs.Recipe(epochs=8), folds=3, threads=1).logits
    suspects = label_suspects(softmax(logits), noisy)
    is_flipped = np.isin([suspect.index for suspect in suspects.suspects], flipped)
    # The limits lie a little below the fractions measured with this seed.
    assert is_flipped.mean() > 0.5  # chance would give 0.05
    assert is_flipped.sum() / len(flipped) > 0.9
    assert is_flipped[:75].mean() > 0.85  # among the first half of the suspects
    restored = [x.suggested_label == data.labels[x.index] for x in suspects.suspects if x.index in flipped]
    assert np.mean(restored) > 0.85


def test_to_dict_is_plain_json_that_names_at_most_1000_suspects():
    y_prob, labels = draw_case(6000, 10, 8, 2)
    suspects = label_suspects(y_prob, make_dataset(labels, 10, "test"))
    value = json.loads(json.dumps(suspects.to_dict(), allow_nan=False))
    assert len(suspects.suspects) > 1000
    assert (value["split"], value["num_suspects"], len(value["suspects"])) == ("test", len(suspects.suspects), 1000)
    assert value["thresholds"][8:] == [None, None]  # classes without images
    assert [suspect["rank"] for suspect in value["suspects"][:3]] == [1, 2, 3]


def test_text_and_html_count_the_suspects_and_disarm_class_names():
    y_prob, labels = draw_case(200, 3, 3, 2)
    dataset = make_dataset(labels, 3)
    dataset = cs.Dataset(dataset.images, dataset.labels, ("<b>", "b\x1b", "c"), "made up", "train")
    suspects = label_suspects(y_prob, dataset)
    assert f"{len(suspects.suspects)} of 200 labels of the train split of made up are suspect" in str(suspects)
    assert "\x1b" not in str(suspects)
    assert "&lt;b&gt;" in suspects._repr_html_()


@pytest.mark.parametrize(
    ("y_prob", "message"),
    [
        (np.full((3, 2), 0.5), r"y_prob has shape \(3, 2\); the train split needs \(2, 2\)"),
        (np.full((2, 3), 1 / 3), r"y_prob has shape \(2, 3\)"),
        (np.array([[1.5, -0.5], [0.5, 0.5]]), "runs from -0.5 to 1.5; probabilities lie from 0 to 1"),
        (np.array([[np.nan, 1], [0.5, 0.5]]), "runs from nan to nan"),
        (np.array([[0.5, 0.5], [0.5, 0.4]]), "row 1 of y_prob sums to 0.9; probabilities sum to 1"),
    ],
)
def test_invalid_probabilities_are_refused(y_prob, message):
    with pytest.raises(ValueError, match=message):
        label_suspects(y_prob, make_dataset([0, 1], 2))
