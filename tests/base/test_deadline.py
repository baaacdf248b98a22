"""Deadlines: `check_deadline` raises within one that has passed, in that thread only."""

import threading
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from convscope.base.deadline import Deadline, DeadlineError, check_deadline, hold, within


def test_without_a_deadline_nothing_ends():
    check_deadline()
    with within(Deadline(0)), pytest.raises(DeadlineError):
        check_deadline()
    check_deadline()


def test_a_deadline_can_be_cancelled_by_another_thread():
    deadline = Deadline(60)
    with within(deadline):
        check_deadline()
        thread = threading.Thread(target=deadline.cancel)
        thread.start()
        thread.join()
        with pytest.raises(DeadlineError, match="took too long"):
            check_deadline()


def test_a_deadline_holds_for_one_thread_alone():
    with within(Deadline(0)), ThreadPoolExecutor(1) as executor:
        executor.submit(check_deadline).result()


def test_a_lock_is_awaited_until_the_deadline_and_freed_afterwards():
    lock = threading.Lock()
    start = monotonic()
    with lock, within(Deadline(0.1)), pytest.raises(DeadlineError), hold(lock):
        pass
    assert monotonic() - start >= 0.1
    with hold(lock):
        assert lock.locked()
    assert not lock.locked()
