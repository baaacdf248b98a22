"""Evaluations: their figures, cautions, text, HTML and JSON, and the arguments that are refused."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss, precision_recall_fscore_support
from tests.noise import init_model

import convscope as cs
from convscope.evidence.evaluating import evaluate_predictions
from convscope.evidence.evaluation import ConfusedPair, Mistake

HOSTILE = "</td><script>alert(1)</script>"


def make_model(image_shape=(8, 6, 1), num_classes=3):
    return init_model(cs.presets.ann(image_shape, num_classes))


def make_dataset(labels, class_names, image_shape=(8, 6, 1), seed=0):
    labels = np.asarray(labels, np.int64)
    images = np.random.default_rng(seed).integers(0, 256, (len(labels), *image_shape), np.uint8)
    return cs.Dataset(images, labels, tuple(class_names), "shapes", "test")


def random_evaluation(num_classes, count=400, class_names=None, wrong=0.3):
    """Evaluate random logits, of which the share `wrong` favours a random class; return the logits, too."""
    stream = np.random.default_rng(0)
    labels = stream.integers(0, num_classes, count)
    favoured = np.where(stream.random(count) < wrong, stream.integers(0, num_classes, count), labels)
    logits = stream.normal(0, 1, (count, num_classes)).astype(np.float32)
    logits[np.arange(count), favoured] += 4
    return evaluate_predictions(logits, make_dataset(labels, class_names or map(str, range(num_classes)))), logits


def evaluate_labels(labels, y_pred, class_names):
    logits = 5 * np.eye(len(class_names), dtype=np.float32)[y_pred]
    return evaluate_predictions(logits, make_dataset(labels, class_names))


@pytest.mark.parametrize("num_classes", [2, 10, 100])
def test_an_evaluation_equals_scikit_learns_metrics(num_classes):
    evaluation, logits = random_evaluation(num_classes)
    y_true, y_pred, labels = evaluation.y_true, logits.argmax(axis=1), range(num_classes)
    assert evaluation.num_images == 400
    assert evaluation.accuracy == accuracy_score(y_true, y_pred)
    assert evaluation.loss == pytest.approx(log_loss(y_true, evaluation.y_prob, labels=labels), rel=1e-5)
    np.testing.assert_array_equal(evaluation.confusion_matrix, confusion_matrix(y_true, y_pred, labels=labels))
    expected = precision_recall_fscore_support(y_true, y_pred, labels=labels, zero_division=0)
    measured = [(metric.precision, metric.recall, metric.f1, metric.support) for metric in evaluation.classes]
    np.testing.assert_allclose(np.transpose(measured), expected, rtol=1e-12)


def test_an_evaluation_has_the_documented_types():
    evaluation, _ = random_evaluation(10)
    types = [evaluation.y_true.dtype, evaluation.y_pred.dtype, evaluation.y_prob.dtype]
    assert types == [np.int64, np.int64, np.float32]
    np.testing.assert_allclose(evaluation.y_prob.sum(axis=1), 1, rtol=1e-6)


def test_confused_pairs_come_most_frequent_first_and_equal_ones_by_label():
    evaluation = evaluate_labels([2, 2, 2, 1, 0, 0, 1], [1, 1, 0, 0, 2, 0, 1], "abc")
    assert evaluation.confused_pairs == (
        ConfusedPair(2, 1, 2), ConfusedPair(0, 2, 1), ConfusedPair(1, 0, 1), ConfusedPair(2, 0, 1),
    )  # fmt: skip


def test_confused_pairs_are_at_most_twenty():
    evaluation, _ = random_evaluation(100)
    wrong = evaluation.confusion_matrix - np.diag(evaluation.confusion_matrix.diagonal())
    counts = [pair.count for pair in evaluation.confused_pairs]
    assert counts == sorted(wrong.flatten().tolist(), reverse=True)[:20]


def test_mistakes_come_most_confident_first():
    logits = np.log(np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.4, 0.6]]))
    evaluation = evaluate_predictions(logits, make_dataset([1, 1, 1, 0], "ab"))
    assert [mistake.index for mistake in evaluation.mistakes] == [1, 0, 3]
    assert evaluation.mistakes[0] == Mistake(1, 1, 0, pytest.approx(0.9), pytest.approx(0.1))


def test_a_class_without_images_has_no_metrics():
    evaluation = evaluate_labels([0, 1, 1], [0, 1, 0], ["a", "b", "absent"])
    absent = evaluation.classes[2]
    assert (absent.class_name, absent.support) == ("absent", 0)
    assert (absent.precision, absent.recall, absent.recall_interval, absent.f1) == (None, None, None, None)
    assert re.search(r"^absent +0 +- +- +- +-$", str(evaluation), re.MULTILINE)
    assert "1 of 3 classes has no images and cannot be measured: 'absent'." in evaluation.cautions


def test_a_class_that_was_never_predicted_has_no_precision():
    never = evaluate_labels([0, 1, 2], [0, 1, 1], ["a", "b", "never"]).classes[2]
    assert (never.precision, never.recall, never.f1) == (None, 0, 0)


def test_few_images_of_a_class_and_none_are_warned_of():
    evaluation = evaluate_labels([0] * 25 + [1] * 5, [0] * 25 + [1] * 5, ["a", "b", "c"])
    wide_interval, few_images, no_images = evaluation.cautions
    assert "With 30 images, the 95 % interval of the accuracy is 11 points wide" in wide_interval
    assert few_images.startswith("1 of 3 classes has fewer than 10 images")
    assert no_images.startswith("1 of 3 classes has no image")


def test_an_accuracy_that_one_class_alone_would_give_is_warned_of():
    evaluation = evaluate_labels([0] * 900 + [1] * 100, [0] * 1000, ["a", "b"])
    (caution,) = evaluation.cautions
    assert caution.startswith("Always answering 'a' would be correct for 90.00 %")
    assert caution in str(evaluation)
    assert evaluation.balanced_accuracy == 0.5


def test_many_images_in_classes_of_equal_size_need_no_caution():
    assert random_evaluation(3, 3000)[0].cautions == ()


def test_one_image_can_be_evaluated():
    evaluation = evaluate_labels([1], [1], "ab")
    assert (evaluation.num_images, evaluation.accuracy, evaluation.mistakes) == (1, 1.0, ())
    low, high = evaluation.accuracy_interval
    assert (round(low, 4), high) == (0.2065, 1.0)  # Wilson: 1 / (1 + 1.96²) = 0.2065


def test_correct_predictions_have_no_mistakes_and_no_pairs():
    evaluation = evaluate_labels([0, 1, 0, 1], [0, 1, 0, 1], "ab")
    assert (evaluation.accuracy, evaluation.mistakes, evaluation.confused_pairs) == (1.0, (), ())
    assert "confused" not in str(evaluation) + evaluation._repr_html_()


@pytest.mark.parametrize("batch_size", [1, 4, 7, 100])
def test_evaluate_does_not_depend_on_the_batch_size(batch_size):
    model, dataset = make_model(), make_dataset([0, 1, 2, 2, 1, 0, 1], "012")
    evaluation = cs.evaluate(model, dataset, batch_size)
    np.testing.assert_array_equal(evaluation.y_pred, model.predict(dataset.images))
    np.testing.assert_allclose(evaluation.y_prob, model.probabilities(dataset.images), rtol=1e-6)
    assert (evaluation.dataset_name, evaluation.split, evaluation.class_names) == ("shapes", "test", ("0", "1", "2"))


def test_to_dict_is_finite_plain_json_with_the_documented_keys():
    evaluation, _ = random_evaluation(10)
    values = evaluation.to_dict()
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert list(values)[:3] == ["num_images", "dataset", "split"]
    assert (values["num_images"], values["dataset"], values["split"]) == (400, "shapes", "test")
    assert values["accuracy_interval"] == list(evaluation.accuracy_interval)
    assert np.sum(values["confusion_matrix"]) == 400
    assert values["classes"][3]["recall_interval"] == list(evaluation.classes[3].recall_interval)
    assert values["confused_pairs"][0].keys() == {"true", "predicted", "count"}
    assert values["mistakes"][0].keys() == {"index", "true", "predicted", "probability", "probability_of_true"}
    assert len(values["mistakes"]) == values["num_mistakes"] == len(evaluation.mistakes)


def test_to_dict_counts_the_predictions_with_a_confidence_of_at_least_99_percent():
    evaluation, _ = random_evaluation(10)
    confidence = np.tile(np.float32([0.99, 0.98, 1.0, 0.5]), 100)
    y_prob = np.zeros((400, 10), np.float32)
    y_prob[np.arange(400), evaluation.y_pred] = confidence
    assert replace(evaluation, y_prob=y_prob).to_dict()["num_nearly_certain"] == 200


def test_to_dict_keeps_the_worst_thousand_mistakes_and_their_number():
    evaluation, _ = random_evaluation(10, count=2000, wrong=0.9)
    values = evaluation.to_dict()
    assert values["num_mistakes"] == len(evaluation.mistakes) > 1000
    assert [mistake["index"] for mistake in values["mistakes"]] == [m.index for m in evaluation.mistakes[:1000]]


def test_text_shows_accuracy_interval_images_matrix_and_pairs():
    text = str(evaluate_labels([0] * 9 + [1], [0] * 8 + [1, 1], ["cat", "dog"]))
    assert "test split of shapes: 90.00 % [59.58, 98.21] (95 % Wilson interval), 9 of 10 images correct" in text
    lines = text.splitlines()
    matrix = lines.index("Confusion matrix (rows: true class, columns: predicted class)")
    assert [line.split() for line in lines[matrix + 1 : matrix + 5]] == [
        ["cat", "dog"], ["-" * len(lines[matrix + 2])], ["cat", "8", "1"], ["dog", "·", "1"],
    ]  # fmt: skip
    assert lines[-1].split() == ["cat", "dog", "1"]


def test_a_notebook_colours_the_matrix_as_the_report_does():
    html = evaluate_labels([0] * 9 + [1], [0] * 8 + [1, 1], "ab")._repr_html_()
    # Blue has 0.5 times 8 / 9 of the row, the most frequent mistake 0.55, and a cell without images no colour.
    right, wrong, empty = "rgba(33, 113, 196, 0.444)", "rgba(220, 50, 60, 0.550)", "></td>"
    assert html.index(right) < html.index(wrong) < html.index(empty)


def test_text_leaves_out_a_matrix_of_a_hundred_classes_and_says_so():
    text = str(random_evaluation(100)[0])
    assert "The confusion matrix (100 x 100) is too large to print" in text
    assert "Most confused pairs" in text
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("num_classes", [2, 10, 20])
def test_text_stays_within_130_columns_whatever_the_class_names(num_classes):
    names = [f"{label} ångström 漢字漢字漢字漢字 {'x' * 200}" for label in range(num_classes)]
    text = str(random_evaluation(num_classes, class_names=names)[0])
    assert max(map(len, text.splitlines())) <= 130


def test_text_holds_no_terminal_control_characters():
    text = str(random_evaluation(2, class_names=["\x1b[31mred\x07", "two\nlines"])[0])
    assert not any(ord(c) < 32 and c != "\n" for c in text)
    assert "two\N{REPLACEMENT CHARACTER}lines" in text


@pytest.mark.parametrize("num_classes", [2, 100])
def test_html_shows_class_names_as_text(num_classes):
    names = [f"{HOSTILE}{label}" for label in range(num_classes)]
    html = random_evaluation(num_classes, class_names=names)[0]._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"accuracy": 0.5}, "accuracy is 0.5; by the confusion matrix it must be"),
        ({"confusion_matrix": np.eye(3, dtype=np.int64)}, "sums to 3; it must sum to the 400 images"),
        ({"confusion_matrix": np.zeros((2, 2), np.int64)}, "confusion_matrix has shape"),
        ({"y_pred": np.zeros(2, np.int64)}, r"y_pred has shape \(2,\); it must be \(400,\)"),
        ({"y_prob": np.zeros((400, 2), np.float32)}, "y_prob has shape"),
        ({"mistakes": ()}, "0 mistakes; by the confusion matrix there must be"),
        ({"loss": float("nan")}, "loss is nan; it must be finite"),
    ],
)
def test_evaluation_rejects_invalid_arguments(change, message):
    evaluation, _ = random_evaluation(3)
    with pytest.raises(ValueError, match=message):
        replace(evaluation, **change)


@pytest.mark.parametrize(
    ("logits", "message"),
    [
        (np.zeros((2, 3)), r"shape \(2, 3\); this data set needs \(3, 2\)"),
        (np.array([[0, 1], [0, np.nan], [np.inf, 0]]), "of 2 of 3 images are not finite, the first at index 1"),
        (np.array([[0, 1], [0, 1], [-np.inf, 0]]), "of 1 of 3 images are not finite, the first at index 2"),
    ],
)
def test_evaluate_predictions_rejects_invalid_arguments(logits, message):
    with pytest.raises(ValueError, match=message):
        evaluate_predictions(logits, make_dataset([0, 1, 1], "ab"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((make_dataset([0], "01"),), "shapes has 2 classes, but this model has 3"),
        ((make_dataset([0], "0x2"),), "label 1 is 'x' in shapes, but '1' in this model"),
        ((make_dataset([0], "012", (8, 8, 1)),), "this model needs uint8"),
        ((make_dataset([0], "012"), 0), "batch_size is 0"),
    ],
)
def test_evaluate_rejects_invalid_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        cs.evaluate(make_model(), *arguments)


def test_predictions_of_several_views_are_averaged_and_multiply_the_cost():
    model = make_model()
    dataset = make_dataset(np.arange(30) % 3, "012")
    evaluation = cs.evaluate(model, dataset, batch_size=7, views=5)
    np.testing.assert_array_equal(evaluation.y_pred, model.predict(dataset.images, 5))
    np.testing.assert_allclose(evaluation.y_prob, model.probabilities(dataset.images, 5), rtol=1e-5)
    assert evaluation.to_dict()["views"] == 5
    assert "mean of 5 views of each image" in str(evaluation)
    single = cs.evaluate(model, dataset)
    assert "views" not in single.to_dict()
    assert "views" not in str(single)
    costs = [cs.Candidate.from_model(model, result).macs for result in (single, evaluation)]
    assert costs == [model.architecture.macs, 5 * model.architecture.macs]
