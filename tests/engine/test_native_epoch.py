"""`train_epoch` of the compiled engine: progress, interrupts, threads, forked processes and invalid arguments."""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.noise import random_dataset

from convscope.architecture import presets
from convscope.data.datasets import Dataset
from convscope.engine import EpochOptions, initial_weights
from convscope.engine.native import NativeNetwork

from .epochs import assert_same_bits, train as train_epoch

train = partial(train_epoch, batch_size=128)


def long_order() -> NDArray[np.int64]:
    """Return an order with which `cnn` trains for some seconds on 128 images."""
    return np.arange(128).repeat(20_000)


@pytest.fixture
def digits() -> Dataset:
    return random_dataset(128, (28, 28, 1), 10)


@pytest.mark.slow
def test_progress_is_called_at_intervals(digits: Dataset) -> None:
    network = NativeNetwork(presets.cnn(), initial_weights(presets.cnn(), 0))
    calls: list[tuple[int, float, float]] = []

    def stop_at_third(*values: Any) -> None:
        calls.append(values)
        if len(calls) == 3:
            raise LookupError

    start = time.monotonic()
    with pytest.raises(LookupError):
        train(network, digits, order=long_order(), progress=stop_at_third)
    images = [call[0] for call in calls]
    assert len(calls) <= (time.monotonic() - start) / 0.05  # seconds between two calls
    assert images == sorted(images)
    assert images[0] > 0
    assert images[-1] < len(long_order())
    assert all(loss > 0 and 0 <= accuracy <= 1 for _, loss, accuracy in calls)


def test_an_error_in_progress_stops_the_epoch_and_is_raised(digits: Dataset) -> None:
    network = NativeNetwork(presets.cnn(), initial_weights(presets.cnn(), 0))

    def stop(images: int, *_: float) -> None:
        raise LookupError(f"at {images}")

    with pytest.raises(LookupError, match="at "):
        train(network, digits, order=long_order(), progress=stop)
    assert 0 < int(network.optimizer_state()["step"]) < 10_000
    assert all(np.isfinite(value).all() for value in network.weights().values())
    train(network, digits)


def test_progress_may_read_the_network_but_not_train_it(digits: Dataset) -> None:
    network = NativeNetwork(presets.cnn(), initial_weights(presets.cnn(), 0))
    seen = []

    def read_then_train(*_: object) -> None:
        seen.append(network.logits(digits.images).shape)
        train(network, digits)

    with pytest.raises(RuntimeError, match="cannot change the network during its training"):
        train(network, digits, order=long_order(), progress=read_then_train)
    assert seen == [(128, 10)]


INTERRUPTED = """
import os, signal, sys, threading, time
import numpy as np
from convscope.architecture import presets
from convscope.data.datasets import Dataset
from convscope.engine import EpochOptions, initial_weights, open_network
dataset = Dataset(np.zeros((128, 28, 28, 1), np.uint8), np.zeros(128, np.int64), ("a", "b"))
network = open_network(presets.cnn(), initial_weights(presets.cnn(), 0))
order, sent = np.arange(128).repeat(40_000), []
def interrupt():
    sent.append(time.process_time())
    os.kill(os.getpid(), signal.SIGINT)
for size in map(int, sys.argv[1:]):
    threading.Timer(0.2, interrupt).start()
    try:
        network.train_epoch(dataset, order=order, batch_size=size, options=EpochOptions(),
                            learning_rates=np.full(-(-len(order) // size), 1e-3, np.float32))
    except KeyboardInterrupt:
        print(time.process_time() - sent.pop())
"""


@pytest.mark.slow
def test_an_interrupt_ends_the_epoch_within_two_seconds_of_processor_time() -> None:
    command = [sys.executable, "-c", INTERRUPTED, "128", "65536"]  # the numbers of images in a batch
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    assert [float(line) < 2 for line in run.stdout.splitlines()] == [True, True]


def test_python_threads_may_share_and_own_networks(digits: Dataset) -> None:
    shared = NativeNetwork(presets.cnn(), initial_weights(presets.cnn(), 0))
    alone = NativeNetwork(presets.cnn(), initial_weights(presets.cnn(), 0))
    train(alone, digits, order=np.tile(np.arange(128), 10))

    def work(_: int) -> dict[str, NDArray[np.float32]]:
        own = NativeNetwork(presets.cnn(), initial_weights(presets.cnn(), 0))
        train(own, digits, order=np.tile(np.arange(128), 10))
        shared.logits(digits.images)
        return own.weights()

    with ThreadPoolExecutor(4) as pool:
        for weights in pool.map(work, range(4)):
            assert_same_bits(weights, alone.weights())


@pytest.mark.slow
def test_progress_may_write_to_the_arrays_that_were_passed(digits: Dataset) -> None:
    def train_epochs(overwrites: bool) -> dict[str, NDArray[np.float32]]:
        network = NativeNetwork(presets.cnn(), initial_weights(presets.cnn(), 0), 1)  # one thread is in no hurry
        order, labels = long_order()[:6000], digits.labels.copy()
        rates = np.full(47, 1e-3, np.float32)  # 6,000 / 128 batches, rounded up
        calls = []

        def overwrite(*_: object) -> None:
            calls.append(1)
            if overwrites:
                order[:] = labels[:] = 1 << 40
                rates[:] = np.nan

        network.train_epoch(
            Dataset(digits.images, labels, digits.class_names), order=order, batch_size=128, learning_rates=rates,
            options=EpochOptions(), progress=overwrite,
        )  # fmt: skip
        assert calls
        return network.weights()

    assert_same_bits(train_epochs(True), train_epochs(False))


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
forks_with_threads = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def works_in_a_forked_process(work: Callable[[], bool]) -> bool:
    """Return whether `work` returns True in a forked process, which is killed if it hangs."""
    process = multiprocessing.get_context("fork").Process(target=lambda: os._exit(0 if work() else 3))
    process.start()
    process.join(600)
    if process.exitcode is None:
        process.kill()
        process.join()
    return process.exitcode == 0


@pytest.mark.slow
@needs_fork
@forks_with_threads
def test_network_works_in_processes_forked_while_another_thread_predicts(digits: Dataset) -> None:
    network = NativeNetwork(presets.cnn(), initial_weights(presets.cnn(), 0))
    train(network, digits)
    many = np.tile(digits.images, (20, 1, 1, 1))
    expected, before = network.logits(digits.images), network.weights()
    done = threading.Event()

    def predict() -> None:
        while not done.is_set():
            network.logits(many)

    def predict_and_train() -> bool:
        is_same = np.array_equal(network.logits(digits.images), expected)
        train(network, digits)
        return is_same and any((value != before[name]).any() for name, value in network.weights().items())

    assert works_in_a_forked_process(predict_and_train)
    predictor = threading.Thread(target=predict)
    predictor.start()
    try:
        assert all(works_in_a_forked_process(predict_and_train) for _ in range(4))
    finally:
        done.set()
        predictor.join()
    np.testing.assert_array_equal(network.logits(digits.images), expected)


@needs_fork
@forks_with_threads
def test_network_that_another_thread_was_training_is_refused_in_a_forked_process(digits: Dataset) -> None:
    network = NativeNetwork(presets.cnn(), initial_weights(presets.cnn(), 0))
    started, done = threading.Event(), threading.Event()

    def stop_when_done(*_: object) -> None:
        started.set()
        if done.is_set():
            raise LookupError

    def train_until_done() -> None:
        with contextlib.suppress(LookupError):
            train(network, digits, order=long_order(), progress=stop_when_done)

    def is_refused() -> bool:
        with pytest.raises(RuntimeError, match="spawn"):
            network.logits(digits.images)
        with pytest.raises(RuntimeError, match="spawn"):
            network.weights()
        train(NativeNetwork(presets.cnn(), initial_weights(presets.cnn(), 0)), digits)  # a new network works
        return True

    trainer = threading.Thread(target=train_until_done)
    trainer.start()
    try:
        assert started.wait(600)
        assert works_in_a_forked_process(is_refused)
    finally:
        done.set()
        trainer.join()


@pytest.mark.slow
@needs_fork
@forks_with_threads
def test_progress_may_fork_a_process_that_reads_and_ends(digits: Dataset) -> None:
    network = NativeNetwork(presets.cnn(), initial_weights(presets.cnn(), 0), 2)
    results: list[bool] = []

    def fork(*_: object) -> None:
        results.append(works_in_a_forked_process(lambda: bool(np.isfinite(network.logits(digits.images)).all())))
        if len(results) == 3:
            raise LookupError

    with pytest.raises(LookupError):
        train(network, digits, order=long_order(), progress=fork)
    assert results == [True] * 3


@pytest.mark.slow
@needs_fork
@forks_with_threads
def test_a_process_forked_by_progress_must_not_return(digits: Dataset) -> None:
    network = NativeNetwork(presets.cnn(), initial_weights(presets.cnn(), 0), 2)
    """Check it by the exit code of the child: 0 for the error that it should get, 4 for another, 5 for none."""
    parent, children = os.getpid(), []

    def fork(*_: object) -> None:
        if os.getpid() == parent and not children and (child := os.fork()):
            children.append(child)
            raise LookupError  # ends the training of the parent

    try:
        with contextlib.suppress(LookupError):
            train(network, digits, order=long_order(), progress=fork)
    except RuntimeError as error:
        if os.getpid() != parent:
            os._exit(0 if "returned in the child" in str(error) else 4)
        raise
    finally:
        if os.getpid() != parent:
            os._exit(5)
    deadline = time.monotonic() + 600
    while (status := os.waitpid(children[0], os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    if status == (0, 0):
        os.kill(children[0], signal.SIGKILL)
        status = os.waitpid(children[0], 0)
    assert os.waitstatus_to_exitcode(status[1]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"order": np.array([], np.int64)}, r"order has shape \(0,\)"),
        ({"order": np.array([0, 20])}, "order runs from 0 to 20, but there are 20 images"),
        ({"order": np.array([-1, 3])}, "order runs from -1 to 3"),
        ({"order": np.array([[0, 1]])}, r"order has shape \(1, 2\)"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"options": EpochOptions(class_weights=(1.0, 2.0))}, r"class_weights has shape \(2,\); it must be \(5,\)"),
        ({"learning_rates": np.zeros(3, np.float32)}, r"learning_rates has shape \(3,\); it must be \(2,\)"),
        ({"dataset": random_dataset(20, (9, 10, 1), 5)}, r"images are uint8 of shape \(20, 9, 10, 1\)"),
        ({"dataset": random_dataset(20, (9, 11, 1), 60)}, "the network has 5 outputs"),
    ],
)
def test_train_epoch_rejects_invalid_arguments(arguments: dict[str, Any], message: str) -> None:
    architecture = presets.ann((9, 11, 1), 5)
    network = NativeNetwork(architecture, initial_weights(architecture, 0))
    good: dict[str, Any] = {
        "dataset": random_dataset(20, (9, 11, 1), 5), "order": np.arange(20), "batch_size": 16,
        "learning_rates": np.full(2, 1e-3, np.float32), "options": EpochOptions(),
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        network.train_epoch(**{**good, **arguments})
    assert int(network.optimizer_state()["step"]) == 0
