"""Images that stay on disk train and are measured as those in memory, to the same bits."""

import json
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import convscope as cs
from convscope.data.datasets.disk import images as disk, pools
from convscope.data.datasets.disk.images import DiskImages, as_images, count_memory_bytes, is_on_disk
from convscope.data.datasets.readers.idx import idx_header
from convscope.data.inspection import find_duplicates
from convscope.evidence.ablation import ablate, filter_means
from convscope.evidence.explanation import filter_cards
from convscope.training import TrainingState
from convscope.training.crossfit import crossfit
from convscope.training.memory import measure_memory, training_bytes

RECIPE = cs.Recipe(epochs=2, batch_size=32, validation_fraction=0.1)
# A recipe with many options.
FULL = cs.Recipe(
    epochs=2, batch_size=50, schedule=cs.Schedule("one_cycle", 0.3), label_smoothing=0.1, clip_norm=1.0, averaging=0.9,
    augmentation=cs.Augmentation(2, 15.0, 0.2, 10.0), class_weights=(1, 1, 2, 1, 1, 1, 0.5, 1, 1, 1),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(small_mnist: cs.Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`small_mnist` as four plain files."""
    path = tmp_path_factory.mktemp("plain")
    for prefix, dataset in (("train", small_mnist.train), ("t10k", small_mnist.test)):
        images, labels = dataset.images[..., 0], dataset.labels.astype(np.uint8)
        (path / f"{prefix}-images-idx3-ubyte").write_bytes(idx_header(images.shape) + images.tobytes())
        (path / f"{prefix}-labels-idx1-ubyte").write_bytes(idx_header(labels.shape) + labels.tobytes())
    return path


@pytest.fixture
def on_disk(small_mnist: cs.Splits, folder: Path, monkeypatch) -> cs.Splits:
    """`small_mnist` on disk, read in blocks so small that an epoch has several pools of images of 784 bytes."""
    monkeypatch.setenv(disk.IN_MEMORY_VARIABLE, "0")
    monkeypatch.setattr(disk, "PART_BYTES", 500 * 784)
    monkeypatch.setattr("convscope.engine.ablations.BLOCK_BYTES", 250 * 784)
    monkeypatch.setattr("convscope.data.handwriting.recipe._NUM_IMAGES", 100)
    monkeypatch.setattr(disk, "BLOCK_BYTES", 250 * 784)
    monkeypatch.setattr(pools, "POOL_BYTES", 400 * 784)
    monkeypatch.setattr(pools, "BLOCK_BYTES", 9 * 784)
    halves = []
    for prefix, dataset in (("train", small_mnist.train), ("t10k", small_mnist.test)):
        path = folder / f"{prefix}-images-idx3-ubyte"
        images = as_images(DiskImages(path, 16, dataset.images.shape))
        halves.append(replace(dataset, images=images))
    return cs.Splits(*halves)


# --- Training ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [RECIPE, FULL], ids=["plain", "full"])
@pytest.mark.parametrize("engine", ["native", "reference"])
def test_training_from_disk_gives_the_same_bits_as_from_memory(small_mnist, on_disk, recipe, engine):
    if engine == "reference":
        recipe = replace(recipe, epochs=1)
    preset = cs.presets.ann
    datasets = (on_disk, small_mnist)
    if recipe is FULL:
        weights = np.arange(1000, dtype=np.float32) % 7
        datasets = tuple(cs.Splits(replace(data.train, weights=weights), data.test) for data in datasets)
    (from_disk, history), (from_memory, again) = (cs.train(preset, data, recipe, engine=engine) for data in datasets)
    assert from_disk.weights_sha256 == from_memory.weights_sha256
    assert replace(history, seconds=again.seconds) == again
    assert from_disk.provenance == from_memory.provenance
    assert from_disk.handwriting == from_memory.handwriting


def test_a_set_of_one_pool_trains_as_one_permutation_from_disk_too(small_mnist, on_disk, monkeypatch):
    several = cs.train(cs.presets.ann, on_disk, RECIPE)[0].weights_sha256
    monkeypatch.setattr(pools, "POOL_BYTES", 1 << 27)
    digests = [cs.train(cs.presets.ann, data, RECIPE)[0].weights_sha256 for data in (on_disk, small_mnist)]
    assert digests[0] == digests[1] != several


def test_training_from_disk_resumed_equals_an_unbroken_run(on_disk):
    states: list[TrainingState] = []
    whole, history = cs.train(cs.presets.ann, on_disk, FULL, on_epoch=states.append)
    resumed, again = cs.train(cs.presets.ann, on_disk, FULL, state=states[1])
    assert resumed.weights_sha256 == whole.weights_sha256
    assert again.loss == history.loss


def test_a_pool_continues_with_adams_steps_of_the_pool_before(on_disk):
    states: list[TrainingState] = []
    cs.train(cs.presets.ann, on_disk, cs.Recipe(epochs=2, batch_size=32), on_epoch=states.append)
    assert [int(state.optimizer.get("step", 0)) for state in states] == [0, 32, 64]  # 1,000 images in batches of 32


def test_every_pool_has_its_own_random_streams(on_disk, monkeypatch):
    keys = []
    monkeypatch.setattr("convscope.training.loop.stream_key", lambda *name: keys.append(name) or len(keys))
    cs.train(cs.presets.ann, on_disk, replace(FULL, epochs=1))
    assert len(set(keys)) == len(keys)
    assert {purpose for _, purpose, _ in keys} >= {"augment", "augment/1", "augment/2", "dropout", "dropout/2"}


def test_progress_runs_through_all_pools_of_an_epoch(on_disk):
    progress = []
    recipe = cs.Recipe(epochs=2, batch_size=32)
    _, history = cs.train(
        cs.presets.ann, on_disk, recipe, engine="reference", on_progress=lambda *so_far: progress.append(so_far)
    )
    for epoch in (1, 2):
        of_epoch = [rest for number, *rest in progress if number == epoch]
        assert [completed for completed, *_ in of_epoch] == [min(32 * step, 1000) for step in range(1, 33)]
        assert of_epoch[-1][1:] == pytest.approx([history.loss[epoch - 1], history.accuracy[epoch - 1]])


def test_an_interrupt_within_a_pool_ends_training_and_its_thread(on_disk):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        cs.train(cs.presets.ann, on_disk, RECIPE, engine="reference", on_progress=interrupt)
    assert threading.active_count() == before


# --- Measurements -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_images_on_disk_are_measured_as_in_memory(small_mnist, on_disk, monkeypatch):
    monkeypatch.setattr(disk, "PART_BYTES", 1000 * 784)  # a sample may have all images, so both are the same
    layers = (cs.Conv2D(3, 3, 2, activation="relu"), cs.Flatten(), cs.Dense(10, "softmax"))
    model, _ = cs.train(cs.Architecture(cs.Input(28, 28), layers), small_mnist, cs.Recipe(epochs=1))
    from_disk, from_memory = (cs.evaluate(model, data.test) for data in (on_disk, small_mnist))
    assert from_disk.to_dict() == from_memory.to_dict()
    from_disk, from_memory = (filter_means(model, data.train.images) for data in (on_disk, small_mnist))
    assert all(np.array_equal(from_disk[layer], from_memory[layer]) for layer in from_memory)
    from_disk, from_memory = (filter_cards(model, data.train).to_dict() for data in (on_disk, small_mnist))
    assert json.dumps(from_disk) == json.dumps(from_memory)
    from_disk, from_memory = (ablate(model, data.train).to_dict() for data in (on_disk, small_mnist))
    assert json.dumps(from_disk) == json.dumps(from_memory)
    from_disk, from_memory = (find_duplicates(data.train, data.test).to_dict() for data in (on_disk, small_mnist))
    assert json.dumps(from_disk) == json.dumps(from_memory)


def test_cross_fitting_gives_the_same_logits_for_images_on_disk(small_mnist, on_disk):
    recipe = cs.Recipe(epochs=1)
    from_disk, from_memory = (crossfit(cs.presets.ann, data.train, recipe, folds=4) for data in (on_disk, small_mnist))
    np.testing.assert_array_equal(from_disk.logits, from_memory.logits)
    assert from_disk.dataset_sha256 == from_memory.dataset_sha256


# --- Memory -----------------------------------------------------------------------------------------------------------


def test_memory_counts_arrays_in_memory_and_not_on_disk(small_mnist, on_disk):
    assert count_memory_bytes(on_disk.train.images) == 0
    architecture = cs.presets.ann()
    measured = measure_memory(architecture, RECIPE, on_disk.train, on_disk.test)
    assert measured.data_bytes == on_disk.train.labels.nbytes + on_disk.test.labels.nbytes
    pool = pools.pool_images(on_disk.train.images, RECIPE.batch_size)
    more = measured.training_bytes - training_bytes(architecture, RECIPE, small_mnist.train, small_mnist.test)
    assert more > 2 * 784 * pool - 8 * 1000  # two pools of images; a pool's order and labels take less than the set's


_CHILD = """
    import sys
    from pathlib import Path
    import numpy as np
    import convscope as cs
    from convscope.data.datasets.disk import pools
    from convscope.data.datasets.disk.images import DiskImages, as_images
    from convscope.training.memory import peak_memory_bytes

    path, count = Path(sys.argv[1]), int(sys.argv[2])
    pools.POOL_BYTES = 1 << 20
    images = as_images(DiskImages(path, 0, (count, 8, 8, 1)))
    data = cs.Dataset(images, np.resize(np.arange(10, dtype=np.uint8), count), tuple("0123456789"))
    data.sha256, data.pixel_range
    before = peak_memory_bytes()
    network = cs.Architecture(cs.Input(8, 8, 1), (cs.Flatten(), cs.Dense(10, activation="softmax")))
    cs.train(network, data, cs.Recipe(epochs=1, batch_size=512))
    print(before, peak_memory_bytes())
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak of a process is read where Linux tells it")
def test_training_from_disk_takes_no_more_memory_for_ten_times_the_images(tmp_path: Path):
    path, peaks = tmp_path / "images", []
    block = np.random.default_rng(0).integers(0, 256, 30_000 * 64, np.uint8).tobytes()
    with path.open("wb") as file:
        for _ in range(10):
            file.write(block)
    for count in (30_000, 300_000):  # images of 64 bytes: 1.9 MB and 19 MB
        command = [sys.executable, "-c", textwrap.dedent(_CHILD), str(path), str(count)]
        _, peak = map(int, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
        peaks.append(peak)
    more_labels = 270_000 * 2  # bytes: one for a label, and one while they are made
    assert peaks[1] - peaks[0] < more_labels + 8 * 2**20


# --- Loading ----------------------------------------------------------------------------------------------------------


def test_a_folder_larger_than_the_bound_is_left_on_disk(folder: Path, monkeypatch):
    in_memory = cs.load_dataset(folder)
    assert not is_on_disk(in_memory.train.images)
    monkeypatch.setenv(disk.IN_MEMORY_VARIABLE, str(500 * 784))
    data = cs.load_dataset(folder)
    assert is_on_disk(data.train.images)
    assert not is_on_disk(data.test.images)
    assert data.to_dict() == in_memory.to_dict()
    models = [cs.train(cs.presets.ann, part, RECIPE)[0] for part in (data, in_memory)]
    assert models[0].weights_sha256 == models[1].weights_sha256
