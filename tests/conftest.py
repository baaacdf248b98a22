"""Fixtures of many tests: the first images of MNIST as values and as files, a trained network, and finished runs."""

import gc
import gzip
import json
import os
import shutil
import struct
from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np
import pytest
from _pytest.doctest import DoctestModule
from tests.outside import SWITCHES
from tests.shared import all_seeds, empty_reports, invoke, make_once, small_evidence

import convscope as cs
from convscope.report import write_report
from convscope.runs import page


def pytest_configure() -> None:
    """Give each process of a parallel run one core, so that no thread waits for one that another process keeps away.

    Packages that tests import report to nobody. Garbage is collected less often: by default it takes an eighth of the
    time.
    """
    gc.set_threshold(50_000)
    os.environ.update(SWITCHES)
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})


def pytest_collection_finish() -> None:
    gc.freeze()  # the modules and the tests stay until the end, so no collection need look through them


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Collect no doctests in tests/: there are none, and the search takes seconds. Those of src/ are not affected."""
    collector = yield
    return [item for item in collector if not isinstance(item, DoctestModule)]


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the tests out of the user's cache and off the network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONVSCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("CONVSCOPE_OFFLINE", "1")
        yield


@pytest.fixture(scope="session")
def mnist(_own_cache: None) -> cs.Splits:
    return cs.load_dataset("mnist")


@pytest.fixture(scope="session")
def small_mnist(mnist: cs.Splits) -> cs.Splits:
    """1,000 training and 300 test images: enough for a training that learns something in less than a second."""
    return cs.Splits(mnist.train.take(np.arange(1000)), mnist.test.take(np.arange(300)))


@pytest.fixture(scope="session")
def small_folder(small_mnist: cs.Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `small_mnist` as the four IDX files in gzip in which MNIST is published."""

    def make(folder: Path) -> None:
        for prefix, dataset in (("train", small_mnist.train), ("t10k", small_mnist.test)):
            images, labels = dataset.images[..., 0], dataset.labels.astype(np.uint8)
            header = struct.pack(">IIII", 0x803, *images.shape)
            (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes(), 1))
            header = struct.pack(">II", 0x801, len(labels))
            (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(header + labels.tobytes(), 1))

    return make_once(tmp_path_factory, "small", make)


@pytest.fixture(scope="session")
def reader(mnist: cs.Splits, tmp_path_factory: pytest.TempPathFactory) -> cs.Model:
    """A network that reads digits well, trained on 12,000 images, without calibration or rule."""

    def make(folder: Path) -> None:
        model, _ = cs.train(cs.presets.cnn, mnist.train.take(np.arange(12_000)), cs.recipes.fast)
        cs.save_model(model, folder / "model.safetensors")

    return cs.load_model(make_once(tmp_path_factory, "reader", make) / "model.safetensors")


@pytest.fixture(scope="session")
def shared_run(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two epochs, to be read only, and in `printed.json` beside it what `--json` printed."""

    def make(folder: Path) -> None:
        with all_seeds():
            out = folder / "run"
            completed = invoke("run", "--dataset", small_folder, "--epochs", 2, "--seed", 3, "--out", out, "--json")
        assert completed.exit_code == 0, completed.output
        assert completed.stderr == ""
        (folder / "printed.json").write_text(json.dumps(json.loads(completed.stdout)))

    return make_once(tmp_path_factory, "run", make) / "run"


@pytest.fixture(scope="session")
def measured_run(shared_run: Path, tmp_path_factory: pytest.TempPathFactory, _small_evidence: None) -> Path:
    """A copy of `shared_run` with every topic measured, to be read only, and what `--json` printed beside it."""

    def make(folder: Path) -> None:
        out = shutil.copytree(shared_run, folder / "run")
        completed = invoke("report", out, "all", "--json")
        assert completed.exit_code == 0, completed.output
        assert completed.stderr == ""
        (folder / "printed.json").write_text(json.dumps(json.loads(completed.stdout)))

    return make_once(tmp_path_factory, "measured", make) / "run"


@pytest.fixture(autouse=True, scope="session")
def _small_evidence() -> Iterator[None]:
    with small_evidence():
        yield


@pytest.fixture(name="empty_reports")
def _empty_reports() -> Iterator[None]:
    with empty_reports():
        yield


@pytest.fixture
def drawn_reports(empty_reports: None) -> Iterator[None]:  # noqa: ARG001 (its patch is undone)
    """Write reports without evidence, for a test that reads one."""
    # Not `monkeypatch`: a test may have it before `empty_reports`, and it would then leave empty reports behind.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "write_report", write_report)
        yield
