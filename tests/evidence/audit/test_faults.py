"""The audit as a whole: its suspects, the accuracies without faulty images, and the pictures in its record."""

import numpy as np
import pytest

import convscope as cs
from convscope.base.metrics import wilson_interval
from convscope.base.records import encode
from convscope.data.inspection.pictures import LARGEST, shrink, take_pictures
from convscope.evidence.audit import audit


def make_dataset(number: int, split: str, shape=(10, 10, 1), num_classes: int = 4, seed: int = 0) -> cs.Dataset:
    images = np.random.default_rng(seed).integers(0, 256, (number, *shape), dtype=np.uint8)
    names = tuple(f"class {label}" for label in range(num_classes))
    return cs.Dataset(images, np.arange(number) % num_classes, names, "made up", split)


def make_probabilities(labels, num_classes: int, sureness=0.9):
    """Return `sureness` for each of `labels`, and the rest in equal parts for the other classes."""
    y_prob = np.full((len(labels), num_classes), (1 - sureness) / (num_classes - 1))
    y_prob[np.arange(len(labels)), labels] = sureness
    return y_prob


@pytest.fixture
def splits() -> cs.Splits:
    """60 training and 40 test images, of which 3 are also training images, one of them with another label."""
    train, test = make_dataset(60, "train"), make_dataset(40, "test", seed=1)
    images, labels = test.images.copy(), test.labels.copy()
    images[[2, 5, 7]] = train.images[[2, 5, 8]]
    return cs.Splits(train, cs.Dataset(images, labels, test.class_names, "made up", "test"))


@pytest.fixture
def y_prob(splits: cs.Splits):
    """Probabilities for both splits, as out-of-fold ones: wrong on training image 4 and on test images 5 and 9."""
    train, test = splits.train.labels.copy(), splits.test.labels.copy()
    train[4], test[[5, 9]] = 3, 2  # labels are the index modulo 4: 0 becomes 3, and 1 becomes 2
    return make_probabilities(train, 4), make_probabilities(test, 4)


def test_suspects_of_both_splits_are_named_by_their_index(splits: cs.Splits, y_prob):
    audited = audit(splits, *y_prob)
    assert audited.train is not None
    assert [(suspect.index, suspect.given_label, suspect.suggested_label) for suspect in audited.train.suspects] == [
        (4, 0, 3)
    ]
    assert [(x.index, x.given_label, x.suggested_label) for x in audited.test.suspects] == [(5, 1, 2), (9, 1, 2)]


def test_only_duplicates_are_excluded_from_the_second_accuracy(splits: cs.Splits, y_prob):
    audited = audit(splits, *y_prob)
    assert [(part.left_out, part.num_images, part.num_correct) for part in audited.accuracies] == [
        ("nothing", 40, 38),
        ("duplicates", 37, 36),  # without images 2, 5 and 7; image 5 was one of the two errors
    ]
    assert audited.accuracies[1].accuracy == pytest.approx(36 / 37)
    assert audited.accuracies[1].interval == wilson_interval(36, 37)


def test_only_test_labels_are_audited_without_training_probabilities(splits: cs.Splits, y_prob):
    audited = audit(splits, None, y_prob[1])
    assert audited.train is None
    assert audited.to_record().label_suspects.train is None
    assert len(audited.test.suspects) == 2
    assert "train split" not in str(audited)


def test_data_without_faults_have_one_accuracy_and_no_picture():
    splits = cs.Splits(make_dataset(30, "train"), make_dataset(20, "test", seed=1))
    audited = audit(splits, make_probabilities(splits.train.labels, 4), make_probabilities(splits.test.labels, 4))
    record = audited.to_record()
    assert [part.left_out for part in record.accuracies] == ["nothing"]
    assert record.duplicates.num_groups == 0
    assert record.pictures.indices == ()


def test_every_test_image_may_be_a_duplicate():
    train = make_dataset(30, "train")
    splits = cs.Splits(train, cs.Dataset(train.images, train.labels, train.class_names, "made up", "test"))
    audited = audit(splits, None, make_probabilities(splits.test.labels, 4))
    assert (audited.accuracies[1].num_images, audited.accuracies[1].accuracy) == (0, 0.0)
    assert audited.accuracies[1].interval == (0.0, 1.0)
    audited.to_dict()


def test_pictures_show_the_named_images(splits: cs.Splits, y_prob):
    pictures = audit(splits, *y_prob).to_record().pictures
    images = list(zip(pictures.splits, pictures.indices, strict=True))
    suspects, duplicates = {("train", 4), ("test", 5), ("test", 9)}, {("train", 8), ("test", 7)}
    assert suspects | duplicates <= set(images)
    assert len(images) == len(set(images))
    for (split, index), picture in zip(images, pictures.images.unpack(), strict=True):
        np.testing.assert_array_equal(picture, getattr(splits, split).images[index])


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((28, 28, 1), (28, 28, 1)), ((64, 64, 3), (32, 32, 3)), ((33, 20, 1), (17, 10, 1)), ((8, 200, 3), (2, 29, 3))],
)
def test_large_images_are_shrunk_by_whole_squares(shape, expected):
    images = np.random.default_rng(0).integers(0, 256, (3, *shape), dtype=np.uint8)
    small = shrink(list(images), shape)
    assert small.shape == (3, *expected)
    factor = -(-max(shape[:2]) // LARGEST)  # divided and rounded up
    square = images[0, :factor, :factor].reshape(-1, shape[2]).mean(axis=0)
    np.testing.assert_allclose(small[0, 0, 0], square, atol=0.51)  # rounded to whole grey levels


def test_pictures_beyond_the_limit_are_left_out_from_the_end():
    splits = cs.Splits(make_dataset(200, "train", (32, 32, 3)), make_dataset(5, "test", (32, 32, 3)))
    record = take_pictures(splits, [("train", index) for index in range(200)], 20_000)
    assert 0 < len(record.indices) < 200
    assert record.indices == tuple(range(len(record.indices)))
    assert record.images.shape == (len(record.indices), 32, 32, 3)
    assert len(encode(record)) < 24_000  # 20,000 bytes of pictures, and their names


@pytest.mark.slow
def test_the_record_takes_at_most_400_kilobytes_however_much_is_wrong():
    train, test = make_dataset(1600, "train", (32, 32, 3)), make_dataset(1500, "test", (32, 32, 3), seed=1)
    random = np.random.default_rng(2)
    splits = cs.Splits(train, test)
    audited = audit(splits, *(random.dirichlet(np.full(4, 0.3), len(split)) for split in (train, test)))
    assert audited.train is not None
    assert len(audited.train.suspects) > 1000
    assert len(encode(audited.to_record())) < 400_000


def test_text_and_html_name_suspects_and_duplicates(splits: cs.Splits, y_prob):
    audited = audit(splits, *y_prob)
    assert "without duplicates (3)" in str(audited)
    assert "1 of 60 labels of the train split of made up are suspect" in str(audited)
    assert "3 groups of identical images" in str(audited)
    assert audited._repr_html_().count("<table") == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_probabilities": np.full((3, 4), 0.25)}, r"train_probabilities has shape \(3, 4\); the train split"),
        ({"test_probabilities": np.full((40, 3), 1 / 3)}, r"test_probabilities has shape \(40, 3\); the test split"),
        ({"test_probabilities": np.full((40, 4), -1.0)}, "test_probabilities runs from -1.0"),
        ({"train_probabilities": np.full((60, 4), 0.2)}, "row 0 of train_probabilities sums to 0.8"),
        ({"threshold": 1.5}, "threshold is 1.5"),
    ],
)
def test_wrong_arguments_are_refused(splits: cs.Splits, y_prob, change, message):
    arguments = {"train_probabilities": y_prob[0], "test_probabilities": y_prob[1]} | change
    with pytest.raises(ValueError, match=message):
        audit(splits, **arguments)
