"""`load_dataset`: names, folders, archives and arrays that are data sets, its options, and what it refuses."""

import gzip
import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pytest

from convscope.base.errors import DatasetError
from convscope.data.datasets.dataset import Splits
from convscope.data.datasets.loading import load_dataset
from convscope.data.datasets.readers.idx import idx_header
from convscope.data.datasets.records import LoadOptions

from .readers.test_idx import zip_bytes

USUAL = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def random_images(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).integers(0, 256, shape, dtype=np.uint8)


def labels(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint8)


TRAIN_IMAGES, TRAIN_LABELS = random_images(4, 6, 9), labels(0, 3, 1, 0)
TEST_IMAGES, TEST_LABELS = random_images(2, 6, 9), labels(2, 4)


def write_folder(folder: Path, **arrays: np.ndarray) -> Path:
    """Four IDX files, good ones where `arrays` has no other."""
    files = {
        "train-images-idx3-ubyte": arrays.get("train_images", TRAIN_IMAGES),
        "train-labels-idx1-ubyte": arrays.get("train_labels", TRAIN_LABELS),
        "t10k-images-idx3-ubyte": arrays.get("test_images", TEST_IMAGES),
        "t10k-labels-idx1-ubyte": arrays.get("test_labels", TEST_LABELS),
    }
    folder.mkdir(exist_ok=True, parents=True)
    for name, array in files.items():
        (folder / name).write_bytes(idx_header(array.shape) + array.tobytes())
    return folder


def write_archive(path: Path, **arrays: np.ndarray) -> Path:
    good = {"x_train": TRAIN_IMAGES, "y_train": TRAIN_LABELS, "x_test": TEST_IMAGES, "y_test": TEST_LABELS}
    np.savez_compressed(path, **{**good, **arrays})
    return path


def is_good(splits: Splits) -> bool:
    return bool((splits.train.images[..., 0] == TRAIN_IMAGES).all() and (splits.test.labels == TEST_LABELS).all())


def test_a_folder_of_idx_files_is_a_data_set(tmp_path):
    data = load_dataset(write_folder(tmp_path / "mine"))
    assert data.name == "mine"
    assert data.image_shape == (6, 9, 1)
    assert is_good(data)
    content = (tmp_path / "mine" / "train-images-idx3-ubyte").read_bytes()
    assert data.train.source[0].sha256 == hashlib.sha256(content).hexdigest()


def test_an_archive_is_a_data_set(tmp_path):
    path = write_archive(tmp_path / "mine.npz")
    data = load_dataset(str(path))
    assert data.name == "mine.npz"
    assert is_good(data)
    (source,) = data.test.source
    assert (source.name, source.sha256) == ("mine.npz", hashlib.sha256(path.read_bytes()).hexdigest())


PACKINGS = {"": bytes, ".gz": gzip.compress, ".zip": zip_bytes}


@pytest.mark.parametrize("suffix", PACKINGS)
@pytest.mark.parametrize("images", ["{}-images-idx3-ubyte", "{}-images.idx3-ubyte", "mine-{}-images-idx3-ubyte"])
@pytest.mark.parametrize("test", ["t10k", "test"])
def test_the_usual_names_of_the_files_are_known(tmp_path, images, suffix, test):
    write_folder(tmp_path / "mine")
    for path in sorted((tmp_path / "mine").iterdir()):
        name = path.name.replace("t10k", test)
        name = name.replace("-idx", ".idx") if "." in images else name
        name = f"mine-{name}" if images.startswith("mine") else name
        content = path.read_bytes()
        path.unlink()
        (path.parent / f"{name}{suffix}").write_bytes(PACKINGS[suffix](content))
    assert is_good(load_dataset(tmp_path / "mine"))


def test_one_idx_file_leads_to_the_other_three(tmp_path):
    folder = write_folder(tmp_path / "mine")
    data = load_dataset(folder / "train-images-idx3-ubyte")
    assert is_good(data)
    assert data.name == "train-images-idx3-ubyte"


def test_a_file_of_one_set_among_several_is_that_set(tmp_path):
    folder = write_folder(tmp_path / "mine")
    for name in USUAL:
        (folder / f"other-{name}").write_bytes((folder / name).read_bytes())
    with pytest.raises(
        DatasetError, match=r"mine: holds IDX files of several data sets \('other-', ''\); name one file"
    ):
        load_dataset(folder)
    assert is_good(load_dataset(folder / f"other-{USUAL[0]}"))


def test_idx_files_in_a_folder_below_are_found(tmp_path):
    write_folder(tmp_path / "MNIST" / "raw")
    assert is_good(load_dataset(tmp_path))


def test_a_zip_archive_of_idx_files_is_a_data_set(tmp_path):
    folder = write_folder(tmp_path / "mine")
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        for name in USUAL:
            archive.writestr(f"inner/{name}.gz", gzip.compress((folder / name).read_bytes()))
        archive.writestr("__MACOSX/inner/._train-images-idx3-ubyte", b"hidden")
    data = load_dataset(tmp_path / "mine.zip")
    assert is_good(data)
    assert data.train.sha256 == load_dataset(folder).train.sha256
    assert data.train.source[0].sha256 == load_dataset(folder).train.source[0].sha256


def test_the_classes_run_to_the_highest_label_of_both_splits(tmp_path):
    data = load_dataset(write_folder(tmp_path / "mine"))
    assert data.class_names == ("0", "1", "2", "3", "4")
    assert data.train.class_counts.tolist() == [2, 1, 0, 1, 0]


def test_a_hundred_and_more_classes_are_read_from_an_archive(tmp_path):
    path = write_archive(tmp_path / "mine.npz", y_train=np.array([0, 300, 3831, 5]))
    data = load_dataset(path)
    assert data.num_classes == 3832
    assert data.train.labels.tolist() == [0, 300, 3831, 5]


def test_a_name_comes_before_a_folder_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "mnist")
    assert len(load_dataset("mnist").train) == 60_000
    assert is_good(load_dataset("./mnist"))
    assert is_good(load_dataset(Path("mnist")))


FOLDERS = {
    "fewer labels": ({"train_images": random_images(5, 6, 9)}, "holds 5 images, but .*train-labels.* 4 labels"),
    "more labels": ({"test_labels": labels(1, 2, 3)}, "t10k-images.* 2 images, but .*t10k-labels.* 3 labels"),
    "sizes differ": (
        {"test_images": random_images(2, 9, 6)},
        "train-images.* 6 × 9 × 1 .*, but .*t10k-images.* 9 × 6 × 1",
    ),
    "channels differ": ({"test_images": random_images(2, 6, 9, 3)}, "6 × 9 × 1 .*, but .*t10k-images.* 6 × 9 × 3"),
    "labels for images": ({"train_images": labels(1, 2, 3, 4)}, r"train-images.*\(4,\); images must be \(N, H, W\)"),
    "images for labels": ({"test_labels": random_images(2, 6, 9)}, r"t10k-labels.*\(2, 6, 9\); labels must be \(N,\)"),
    "channels first": (
        {"train_images": random_images(4, 3, 6, 9), "test_images": random_images(2, 3, 6, 9)},
        r"train-images.* 9 channels .*which come last",
    ),
}


@pytest.mark.parametrize(("arrays", "message"), FOLDERS.values(), ids=FOLDERS)
def test_files_that_do_not_fit_together_are_refused(tmp_path, arrays, message):
    with pytest.raises(DatasetError, match=message):
        load_dataset(write_folder(tmp_path / "mine", **arrays))


ARCHIVES = {
    "counts differ": (
        {"y_test": labels(1)},
        r"mine\.npz: x_test holds 2 images, but .*mine\.npz: y_test holds 1 labels",
    ),
    "sizes differ": ({"x_train": random_images(4, 6, 8)}, "x_train holds .* 6 × 8 × 1 .*, but .*x_test of 6 × 9 × 1"),
    "label below 0": ({"y_train": np.array([0, -1, 2, 1])}, "y_train has labels from -1 to 2; .* between 0 and 4095"),
    "label too high": (
        {"y_test": np.array([0, 10**9])},
        "y_test has labels from 0 to 1000000000; .* between 0 and 4095",
    ),
    "label just too high": ({"y_test": np.array([0, 4096])}, "labels from 0 to 4096"),
    "label beyond int64": (
        {"y_test": np.array([0, 2**63], dtype=np.uint64)},
        "y_test has the label 9223372036854775808",
    ),
}


@pytest.mark.parametrize(("arrays", "message"), ARCHIVES.values(), ids=ARCHIVES)
def test_an_archive_that_does_not_fit_together_is_refused(tmp_path, arrays, message):
    with pytest.raises(DatasetError, match=message):
        load_dataset(write_archive(tmp_path / "mine.npz", **arrays))


def test_an_idx_file_whose_name_says_nothing_is_refused_with_the_way_out(tmp_path):
    path = write_folder(tmp_path / "mine") / "train-images-idx3-ubyte"
    with pytest.raises(
        DatasetError, match=r"its name does not say what it holds; .*or name a folder with four IDX files"
    ):
        load_dataset(path.rename(tmp_path / "digits"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnits", "'mnits': no data set, file or folder has this name; did you mean 'mnist'"),
        ("zebra", "'zebra': no data set, .* `convscope data list` prints the names; a path works too"),
        ("", "'': no data set"),
        ("no/such/folder", "no/such/folder: no such file or folder; check the path"),
        ("x" * 5000, "xxx': no data set"),
        ("a\0b", "no data set"),
    ],
    ids=["misspelt", "unknown", "empty", "missing path", "too long", "NUL"],
)
def test_an_unknown_name_is_refused(name, message):
    with pytest.raises(DatasetError, match=message):
        load_dataset(name)


def test_a_test_split_of_its_own_is_not_cut_again(tmp_path):
    folder = write_folder(tmp_path / "mine")
    assert load_dataset(folder, seed=7).options == LoadOptions()
    with pytest.raises(DatasetError, match="is already a test split, so no other is split off; omit the test fraction"):
        load_dataset(folder, test_fraction=0.5)
    with pytest.raises(DatasetError, match="omit the test fraction"):
        load_dataset("mnist", test_fraction=0.5)


def test_images_are_averaged_to_the_requested_size(tmp_path):
    images = random_images(12, 4, 6, 3)
    np.savez(tmp_path / "mine.npz", x_train=images, y_train=np.arange(12) % 2, x_test=images, y_test=np.arange(12) % 2)
    data = load_dataset(tmp_path / "mine.npz", image_size=(2, 3))
    expected = np.floor(images.reshape(12, 2, 2, 3, 2, 3).mean((2, 4)) + 0.5)
    np.testing.assert_array_equal(data.train.images, expected)
    assert data.options.image_size == (2, 3)
    assert load_dataset(tmp_path / "mine.npz", image_size=(4, 6)).train.images.tobytes() == images.tobytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"test_fraction": 0}, "test_fraction is 0; it must lie between 0 and 1"),
        ({"test_fraction": 1.0}, "test_fraction is 1.0"),
        ({"image_size": (0, 5)}, r"image_size is \(0, 5\); it must be \(height, width\), each from 1 to 4,096"),
        ({"image_size": (60_000, 60_000)}, r"image_size is \(60000, 60000\); it must be .* each from 1 to 4,096"),
        ({"image_size": ("a", 5)}, r"image_size\[0\] is 'a'; it must be a whole number"),
        ({"image_size": (5,)}, "image_size is"),
    ],
)
def test_a_wrong_argument_is_refused(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        load_dataset("mnist", **arguments)


def test_npy_files_are_a_data_set(tmp_path):
    arrays = {"x_train": TRAIN_IMAGES, "y_train": TRAIN_LABELS, "x_test": TEST_IMAGES, "y_test": TEST_LABELS}
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    data = load_dataset(tmp_path)
    assert is_good(data)
    assert data.train.source[0].sha256 == hashlib.sha256((tmp_path / "x_train.npy").read_bytes()).hexdigest()
    with pytest.raises(DatasetError, match=r"is a single array; name a folder with x_train.npy and y_train.npy"):
        load_dataset(tmp_path / "x_train.npy")
    (tmp_path / "y_test.npy").unlink()
    with pytest.raises(DatasetError, match="has no array y_test"):
        load_dataset(tmp_path)


def test_rows_of_pixels_become_images(tmp_path):
    np.savez(tmp_path / "mine.npz", X=TRAIN_IMAGES.reshape(4, 54), y=TRAIN_LABELS)
    assert load_dataset(tmp_path / "mine.npz", image_size=(6, 9)).image_shape == (6, 9, 1)
    with pytest.raises(DatasetError, match=r"mine.npz: has 54 pixels per image, which is not a square"):
        load_dataset(tmp_path / "mine.npz")


def test_class_names_of_an_archive_are_kept_in_order(tmp_path):
    path = write_archive(tmp_path / "mine.npz", class_names=np.array(["zero", "one", "two", "three", "</script>"]))
    assert load_dataset(path).class_names == ("zero", "one", "two", "three", "</script>")
    path = write_archive(tmp_path / "mine.npz", class_names=np.array(["zero", "one"]))
    with pytest.raises(DatasetError, match="y_train has labels from 0 to 3; they must lie between 0 and 1"):
        load_dataset(path)


def test_a_folder_without_known_files_lists_what_is_accepted(tmp_path):
    (tmp_path / "notes.md").write_text("")
    with pytest.raises(DatasetError, match=r"holds no known data set; it may hold four IDX files, an .npz"):
        load_dataset(tmp_path)
