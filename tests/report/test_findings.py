"""Findings: the sentences of the report that follow from measured numbers."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from msgspec import UNSET, UnsetType, convert, structs

from convscope.evidence.ablation import FilterAblation, Replaced
from convscope.evidence.comparison.records import ComparisonRecord
from convscope.evidence.evaluating import evaluate_predictions
from convscope.evidence.evaluation import Mistake
from convscope.recipes import EarlyStopping, Recipe
from convscope.report import RunContents, findings
from convscope.training import History, describe_choice
from convscope.training.records import HistoryRecord

from .conftest import make_split

SPACE = "\N{NO-BREAK SPACE}"


def history(
    val_accuracy: list[float], val_loss: list[float] | None = None, val_split: Any = "test", **more: Any
) -> HistoryRecord:
    number = max(len(val_accuracy), 1)
    return HistoryRecord(
        loss=(0.5,) * number, accuracy=(0.9,) * number, val_accuracy=tuple(val_accuracy),
        val_loss=tuple(val_loss or ()), seconds=(1.0,) * number, val_split=val_split, **{"best_epoch": None, **more},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("val_accuracy", "finding"),
    [
        ([0.9, 0.978, 0.98], "Test accuracy is within 0.5 points of 98.00 % by epoch 2"),
        ([0.9, 0.95], "Test accuracy is still changing in the last epoch: 95.00 %"),
    ],
)
def test_the_accuracy_finding_says_when_training_settled(val_accuracy: list[float], finding: str) -> None:
    assert findings.accuracy_finding(history(val_accuracy)).replace(SPACE, " ") == finding


@pytest.mark.parametrize(
    ("val_loss", "finding"),
    [
        ([0.2, 0.1, 0.12], "Test loss is lowest in epoch 2 and ends at 0.120"),
        ([0.2, 0.1], "Test loss is still falling in the last epoch: 0.100"),
        ([], "Training loss ends at 0.500"),
    ],
)
def test_the_loss_finding_says_where_it_was_lowest(val_loss: list[float], finding: str) -> None:
    assert findings.loss_finding(history([0.9], val_loss)) == finding


def test_findings_name_the_images_that_were_measured() -> None:
    measured = history([0.9, 0.95], [0.2, 0.1], "validation")
    accuracy, loss = findings.accuracy_finding(measured), findings.loss_finding(measured)
    assert accuracy.startswith("Validation accuracy is still changing")
    assert loss == "Validation loss is still falling in the last epoch: 0.100"


@pytest.mark.parametrize(
    ("val_split", "patience", "fraction", "sentence"),
    [
        ("test", 0, 0, "The test images were measured after each epoch but were not used to choose anything."),
        ("validation", 0, 0.25, "The validation images, 25 % of the training images, were measured after each epoch "
         "but not used to choose anything. The test images were not used for this."),
        ("validation", 1, 0, "The validation images were measured after each epoch and used for early stopping "
         "(stopped after epoch 3 of 9, 1 epoch without a better val_loss; weights of epoch 2). The test images were "
         "not used for this."),
    ],
)  # fmt: skip
def test_the_sentence_of_the_curves_says_whether_the_measured_images_chose_an_epoch(
    val_split: str, patience: int, fraction: float, sentence: str
) -> None:
    stopping = Recipe(early_stopping=EarlyStopping(patience=patience)).to_dict()["early_stopping"] if patience else None
    recipe = {"validation_fraction": fraction, "early_stopping": stopping, "epochs": 9}
    measured = history([0.9] * 3, val_split=val_split, best_epoch=2)
    assert findings.curves_sentence(measured, recipe).replace(SPACE, " ") == sentence


@pytest.mark.parametrize(
    ("counts", "finding"),
    [
        ([10, 20, 15], "Class b has 2.00 times as many images as class a"),
        ([5, 5, 5], "All 3 classes have 5 training images"),
        ([5, 0, 5], "Class b has no training image"),
    ],
)
def test_the_balance_finding_compares_largest_and_smallest(counts: list[int], finding: str) -> None:
    assert findings.balance_finding(counts, ["a", "b", "c"]) == finding


def test_the_classes_finding_states_how_many_classes_reach_its_recall(run: RunContents) -> None:
    finding = findings.classes_finding(run.facts.evaluation).replace(SPACE, " ")
    recalls = sorted(metric.recall for metric in run.facts.evaluation.classes if metric.recall is not None)
    if len(recalls) == 2:  # both are written, and in this run both are 1
        assert finding.count("is 100.00 %") == 2
        return
    threshold = float(finding.removeprefix("Recall is ").split(" %")[0]) / 100
    reached = sum(recall >= threshold for recall in recalls)
    assert reached >= len(recalls) - 1
    assert f"for {f'all {reached}' if reached == len(recalls) else f'{reached} of {len(recalls)}'} classes" in finding
    assert f"the lowest is {100 * recalls[0]:.2f} % (class " in finding


@pytest.mark.parametrize(
    ("confident", "finding"),
    [
        (99, "Highest confidence in a mistake: 99.5 %"),  # 0 of 68 mistakes are no merit where hardly any image is sure
        (100, "Confidence was 99 % or higher in 1 of 3 mistakes and in 100 of all 10,000 predictions"),
        (UNSET, "Highest confidence in a mistake: 99.5 %"),  # an evaluation of before they were counted
    ],
)
def test_the_mistakes_finding_counts_certain_mistakes_only_where_certainty_is_common(
    run: RunContents, confident: int | UnsetType, finding: str
) -> None:
    mistakes = tuple(Mistake(i, 0, 1, probability, 0.001) for i, probability in enumerate((0.995, 0.98, 0.5)))
    evaluation = structs.replace(
        run.facts.evaluation, num_images=10_000, mistakes=mistakes, num_mistakes=3, num_nearly_certain=confident
    )
    assert findings.mistakes_finding(evaluation).replace(SPACE, " ") == finding
    listed = structs.replace(evaluation, mistakes=mistakes[:1], num_nearly_certain=5000)
    assert "at least 1 of 3 mistakes and in 5,000" in findings.mistakes_finding(listed)


@pytest.mark.parametrize(
    ("difference", "p_value", "finding"),
    [
        (0.01, 0.0004, "This run of cnn makes fewer errors than this run of ann (p = 0.0004)"),
        (-0.01, 0.049, "This run of ann makes fewer errors than this run of cnn (p = 0.049)"),
        (0.01, 0.05, "No significant difference between these runs of cnn and ann (p = 0.05)"),
    ],
)
def test_the_comparison_finding_follows_the_paired_test(
    payloads: dict[str, dict[str, Any]], difference: float, p_value: float, finding: str
) -> None:
    pair = convert(payloads["cnn"]["comparison"], ComparisonRecord)
    comparison = structs.replace(pair, names=("cnn", "ann"), accuracy_difference=difference, p_value=p_value)
    assert findings.comparison_finding(comparison) == finding


def ablation(layer: str, change: float, is_significant: bool, replacement: Replaced = "zero") -> FilterAblation:
    return FilterAblation(
        layer=layer, filter=3, replacement=replacement, accuracy_change=change, accuracy_change_by_class=(),
        interval=(-1.0, 1.0), p_value=1.0, is_significant=is_significant,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("filters", "finding"),
    [
        ([ablation("a", -0.002, True), ablation("b", -0.0091, True), ablation("b", -0.5, True, "mean")],
         "2 of 2 filters matter significantly; the largest measured loss is 0.91 points of accuracy, "
         "without filter 3 of B"),
        (  # the largest of many changes is not named where luck explains it
            [ablation("a", -0.0016, False), ablation("a", -0.001, True)],
            "1 of 2 filters matter significantly; the largest measured loss is 0.10 points of accuracy, "
            "without filter 3 of A",
        ),
        ([ablation("a", -0.01, False)] * 48, "Removing any one of the 48 filters has no significant effect"),
        ([ablation("a", 0.01, True), ablation("b", -0.1, False)],
         "No removal of a filter lowers accuracy significantly; without any one of 1 of 2 it is significantly "
         "higher"),
        ([ablation("a", -0.02, True, "mean")],
         "1 of 1 filters matter significantly; the largest measured loss is 2.00 points of accuracy, "
         "without filter 3 of A"),
    ],
)  # fmt: skip
def test_the_ablation_finding_names_an_effect_only_where_the_corrected_test_does(
    filters: list[FilterAblation], finding: str
) -> None:
    assert findings.ablation_finding(filters, "filter", {"a": "A", "b": "B"}).replace(SPACE, " ") == finding


@pytest.mark.parametrize(
    ("change", "text"), [(0, "0.00"), (-0.00001, "0.00"), (0.0123, "+1.23"), (-0.5, "\N{MINUS SIGN}50.00")]
)
def test_differences_in_points_have_a_sign_unless_zero(change: float, text: str) -> None:
    assert findings.points(change) == text


@pytest.mark.parametrize(
    ("stopping", "epochs", "best"),
    [(EarlyStopping(), 3, 2), (EarlyStopping("val_accuracy", 4), 6, None), (EarlyStopping(), 9, 8)],
)
def test_the_choice_reads_as_on_the_terminal(stopping: EarlyStopping, epochs: int, best: int | None) -> None:
    column, recipe = (0.5,) * epochs, Recipe(epochs=9, early_stopping=stopping)
    kept = History(column, column, column, column, column, "validation", best)
    assert findings.choice_sentence(kept.to_record(), recipe.to_dict()) == describe_choice(kept, recipe)


@pytest.mark.parametrize("counts", [(25, 5, 0), (900, 100, 0)])
def test_cautions_read_as_on_the_terminal(counts: tuple[int, int, int]) -> None:
    labels = np.repeat(np.arange(3), counts)
    images = make_split("test", (2, 2, 1), ("a", "b", "c"), len(labels))
    images = replace(images, labels=labels)
    evaluation = evaluate_predictions(np.tile([2.0, 1.0, 0.0], (len(labels), 1)), images)
    sentences = [text.replace(SPACE, " ") for text in findings.caution_sentences(evaluation)]
    assert len(sentences) > 1
    assert sentences == list(evaluation.cautions)
