"""The section of the report on faults of the data: computed titles, cards that open their image, escaped names."""

from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

import convscope as cs
from convscope.base.packing import Packed
from convscope.evidence.audit import audit
from convscope.evidence.audit.faults import AuditRecord
from convscope.report.evidence.audit import audit_section
from convscope.report.evidence.section import Gallery, Section, Table, render_section
from convscope.report.pixels import image_pixels

NAMES = (
    "</script><img src=x onerror=alert(1)>",
    "a name of sixty characters that is far too long for any axis",
    "靴 👢",
)


def make_dataset(number: int, split: str, names=NAMES, shape=(10, 12, 1), seed: int = 0) -> cs.Dataset:
    images = np.random.default_rng(seed).integers(0, 256, (number, *shape), dtype=np.uint8)
    return cs.Dataset(images, np.arange(number) % len(names), names, "made up", split)


def make_probabilities(labels, num_classes: int):
    """Return a probability of 0.9 for each label, and the rest in equal parts for the other classes."""
    y_prob = np.full((len(labels), num_classes), 0.1 / (num_classes - 1))
    y_prob[np.arange(len(labels)), labels] = 0.9
    return y_prob


def audit_faulty_data(names=NAMES, shape=(10, 12, 1), with_train: bool = True) -> tuple[cs.Splits, AuditRecord]:
    """Audit doubtful labels of training images 6 and 9 and test image 8, and duplicates with different labels.

    Test image 4 (label 1) equals training image 3 (label 0), as labels are the index modulo the number of classes.
    """
    train, test = make_dataset(60, "train", names, shape), make_dataset(30, "test", names, shape, seed=1)
    images = test.images.copy()
    images[4] = train.images[3]
    splits = cs.Splits(train, cs.Dataset(images, test.labels, names, "made up", "test"))
    train_predicted, test_predicted = train.labels.copy(), test.labels.copy()
    train_predicted[[6, 9]] = (train_predicted[[6, 9]] + 1) % len(names)
    test_predicted[8] = (test_predicted[8] + 1) % len(names)
    train_probabilities = make_probabilities(train_predicted, len(names)) if with_train else None
    return splits, audit(splits, train_probabilities, make_probabilities(test_predicted, len(names))).to_record()


def parts(section: Section, kind: type) -> dict[str, Any]:
    return {part.title: part for part in section.parts if isinstance(part, kind)}


def test_galleries_count_doubtful_images():
    _, value = audit_faulty_data()
    galleries = parts(audit_section(value), Gallery)
    assert [title for title in galleries if "suspect" in title] == [
        "2 of 60 training labels are suspect",
        "1 of 30 test labels are suspect",
    ]


def test_a_card_has_the_picture_of_its_image_and_leads_to_it():
    splits, value = audit_faulty_data()
    card = parts(audit_section(value), Gallery)["1 of 30 test labels are suspect"].cards[0]
    assert (card.split, card.index) == ("test", 8)
    np.testing.assert_array_equal(card.picture, image_pixels(splits.test.images[8]))
    # From the label, 8 modulo 3 = 2, to the predicted class 0.
    assert card.lines == ["靴 👢 → </script><i…", "confidence 90.00\N{NO-BREAK SPACE}%"]


def test_duplicates_stand_side_by_side_with_both_labels():
    splits, value = audit_faulty_data()
    title = "Groups with different labels: 1 of 1; across training and test images: 1"
    gallery = parts(audit_section(value), Gallery)[title]
    (card,) = gallery.cards
    assert card.lines == ["</script><i… or a name of s…", "train 3, test 4", "equal"]
    assert (card.split, card.index) == ("test", 4)
    left, right = card.picture[:, :12], card.picture[:, -12:]  # images are 12 pixels wide
    np.testing.assert_array_equal(left, image_pixels(splits.train.images[3]))
    np.testing.assert_array_equal(right, left)


def test_the_accuracy_is_stated_with_and_without_duplicates():
    _, value = audit_faulty_data()
    table = parts(audit_section(value), Table)["1 of 30 test images duplicate a training image"]
    assert [row[:4] for row in table.rows] == [
        ("all", "30", "29", "96.67\N{NO-BREAK SPACE}%"),  # images, correct predictions: all but that for image 8
        ("without 1 duplicate", "29", "28", "96.55\N{NO-BREAK SPACE}%"),
    ]


def test_training_labels_are_not_mentioned_without_training_probabilities():
    _, value = audit_faulty_data(with_train=False)
    section = audit_section(value)
    assert not [title for title in parts(section, Gallery) if "training labels" in title]
    assert "Training labels" not in str([table.header for table in parts(section, Table).values()])


def test_data_without_faults_have_tables_and_no_gallery():
    splits = cs.Splits(make_dataset(30, "train"), make_dataset(20, "test", seed=1))
    value = audit(
        splits, make_probabilities(splits.train.labels, 3), make_probabilities(splits.test.labels, 3)
    ).to_record()
    section = audit_section(value)
    assert list(parts(section, Table)) == [
        "Suspect: 0 of 30 training labels and 0 of 20 test labels",
        "No two of 50 images are identical or similar",
    ]
    assert parts(section, Gallery) == {}


@pytest.mark.parametrize("shape", [(10, 12, 1), (64, 40, 3)])
@pytest.mark.parametrize("num_classes", [2, 10, 30])
def test_the_section_is_html_with_its_names_escaped(num_classes: int, shape):
    names = (*NAMES, *(f"class {number}" for number in range(30)))[:num_classes]
    _, value = audit_faulty_data(names, shape)
    html = render_section(audit_section(value))
    assert "<img src=x" not in html
    assert 'data-split="test" data-index="8"' in html
    assert len(html) < 150_000


def test_pictures_beyond_the_limit_have_no_card():
    _, value = audit_faulty_data()
    empty = Packed.from_array(np.empty((0, 10, 12, 1), np.uint8))
    pictures = replace(value.pictures, splits=(), indices=(), images=empty)
    assert parts(audit_section(replace(value, pictures=pictures)), Gallery) == {}
