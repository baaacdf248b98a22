"""`inspect_dataset`: planted faults become findings with numbers, the worst first, as text, JSON and HTML."""

import json

import numpy as np
import pytest
from tests.data.inspection.conftest import make_split, with_images

import convscope as cs
from convscope.data.inspection import inspect_dataset


def list_findings(splits: cs.Splits, topic: str) -> list[tuple[str, str]]:
    return [(finding.severity, finding.text) for finding in inspect_dataset(splits).findings if finding.topic == topic]


def test_unequal_classes_are_a_warning(make):
    splits = make(num_train=240, num_test=40)
    labels = np.repeat([0, 1, 2], [215, 20, 5])
    splits = cs.Splits(make_split(splits.train.images, labels, splits.class_names, "train"), splits.test)
    text = "class 0 has 215 training images and class 2 has 5: 43 to 1."
    assert list_findings(splits, "balance") == [("warning", text)]


@pytest.mark.parametrize(
    ("num_classes", "num_each", "comparison"),
    [
        (100, 30, "100 symbols with 30 images each the default recipe reached 70 % accuracy, and thorough 88 %"),
        (10, 25, "10 digits with 30 images each the default recipe reached 78 % accuracy, and thorough 92 %"),
        (100, 100, None),
        (10, 30, None),
    ],
)
def test_few_images_a_class_are_a_warning_of_what_to_expect(make, num_classes, num_each, comparison):
    splits = make(num_train=num_classes * num_each, num_test=num_classes, shape=(4, 4, 1), num_classes=num_classes)
    findings = [text for severity, text in list_findings(splits, "size") if severity == "warning"]
    if comparison is None:
        assert findings == []
    else:
        beginning = f"{num_classes} classes have only {num_each} training images each (median). For comparison, on "
        assert findings == [f"{beginning}{comparison}."]


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        ([0, 1], [0, 1, 2], ("fault", "1 class (class 2) is in the test images, but in no training image.")),
        ([0, 1, 2], [0], ("warning", "2 classes (class 1, class 2) are in the training images, but in no test image.")),
        ([0, 1], [0, 1], ("note", "1 class (class 2) is in no image at all.")),
    ],
)
def test_classes_without_images_are_named(make, train, test, expected):
    splits = make()
    names = splits.class_names
    splits = cs.Splits(
        make_split(splits.train.images, np.resize(train, 60), names, "train"),
        make_split(splits.test.images, np.resize(test, 40), names, "test"),
    )
    assert list_findings(splits, "balance") == [expected]


def test_leaks_are_listed_before_lesser_faults(make):
    splits = make()
    test = splits.test.images.copy()
    test[:3] = splits.train.images[:3]
    findings = inspect_dataset(with_images(splits, test=test)).findings
    assert findings[0].text == "3 of 40 test images (7.5 %) are identical to a training image."
    ranks = [("fault", "warning", "note").index(finding.severity) for finding in findings]
    assert ranks == sorted(ranks)


def test_blank_images_are_listed_by_their_index(make):
    splits = make()
    train = splits.train.images.copy()
    train[[4, 8, 15, 16]] = 7
    text = "4 training images of 60 are blank: index 4, 8, 15, ...."
    assert list_findings(with_images(splits, train), "blank") == [("warning", text)]


def test_the_finding_of_a_range_of_0_to_16_has_the_factor_to_multiply_by(make):
    splits = make(high=17)
    faults = [finding for finding in inspect_dataset(splits).findings if finding.topic == "range"]
    assert faults[0].text == "Pixels range from 0 to 16 only; networks here expect 0 to 255."
    assert (faults[0].severity, faults[0].next_step) == ("fault", "Scale them when you write the file: images * 15.94.")


def test_splits_of_two_ranges_are_reported(make):
    splits = make(num_train=60)
    train = (splits.train.images > 127).astype(np.uint8) * 255
    assert list_findings(with_images(splits, train, splits.test.images // 4), "range") == [
        ("fault", "The training pixels have a maximum of 255, the test pixels of 63."),
    ]


def test_data_of_one_value_throughout_are_a_fault(make):
    splits = make()
    blank = with_images(splits, np.zeros_like(splits.train.images), np.zeros_like(splits.test.images))
    assert list_findings(blank, "range") == [("fault", "All pixels of both splits are 0.")]


@pytest.mark.slow
def test_an_inverted_split_is_a_fault(small_mnist):
    inverted = with_images(small_mnist, test=255 - small_mnist.test.images)
    text = "Training images have light ink on dark, test images dark ink on light."
    assert list_findings(inverted, "polarity") == [("fault", text)]


@pytest.mark.slow
def test_some_inverted_images_are_a_warning(small_mnist):
    train = small_mnist.train.images.copy()
    train[:40] = 255 - train[:40]
    text = "40 of 1,000 training images (4.0 %) have the opposite polarity; most are light ink on dark."
    assert list_findings(with_images(small_mnist, train), "polarity") == [("warning", text)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("num_train", "num_test", "shape", "num_classes"),
    [(2, 1, (1, 1, 1), 2), (3, 1, (5, 7, 3), 3), (300, 20, (64, 64, 3), 200), (1500, 100, (8, 8, 1), 1000)],
)
def test_data_of_any_form_are_inspected_and_are_finite_json(make, num_train, num_test, shape, num_classes):
    inspection = inspect_dataset(make(num_train, num_test, shape, num_classes))
    document = json.dumps(inspection.to_dict(), allow_nan=False)
    assert json.loads(document) == inspection.to_dict()
    assert str(inspection)
    assert "<table" in inspection._repr_html_()


def test_a_name_is_data_and_no_markup_nor_control(make):
    splits = make(num_classes=2)
    names = ("<b>bold</b>", "b\x1b[31m")
    named = cs.Splits(make_split(splits.train.images, np.arange(60) > 55, names, "train"),
                      make_split(splits.test.images, np.zeros(40), names, "test"))  # fmt: skip
    inspection = inspect_dataset(named)
    assert "\x1b" not in str(inspection)
    assert "<b>" not in inspection._repr_html_()
    assert "&lt;b&gt;" in inspection._repr_html_()
