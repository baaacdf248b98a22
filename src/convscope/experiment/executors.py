"""Compute runs in processes of this machine, or on a Dask or Ray cluster, through an `Executor`.

A cluster runs code from anybody who can reach its port: keep it on this machine or in a network that you trust.
"""

import logging
import os
import re
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from multiprocessing import get_context, parent_process, resource_tracker
from queue import SimpleQueue
from types import ModuleType
from typing import TYPE_CHECKING, Any

from convscope.base.arguments import checked
from convscope.base.errors import ExecutorError
from convscope.base.versions import install_command

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_KINDS = "local:N (processes), dask://HOST:PORT, ray://HOST:PORT, or ray:// for this machine"
_CONNECT_SECONDS = 10  # how long the scheduler of Dask may take to respond


@checked
@contextmanager
def open_executor(name: str | None) -> Iterator[Executor | None]:
    """Open the executor called `name`, and close it at the end; None stands for this process.

    >>> with open_executor(None) as executor:
    ...     print(executor)
    None

    Args:
        name: `local:N` for N processes of this machine, `dask://HOST:PORT` for the workers of a Dask scheduler,
            `ray://HOST:PORT` for a Ray cluster, `ray://` for Ray on this machine. In a script, open `local:N` under
            `if __name__ == "__main__":`, because each process imports the script again.

    Raises:
        ExecutorError: if there is no such executor, its library is not installed, or it does not answer.
    """
    if name is None:
        yield None
    elif match := re.fullmatch(r"local:(\d{1,4})", name):
        if int(match[1]) < 1:
            raise ExecutorError(f"executor {name!r}: there must be at least one process")
        with LocalProcesses(int(match[1])) as processes:
            yield processes
    elif match := re.fullmatch(r"dask://(.+:\d+)", name):
        with _open_dask(match[1]) as executor:
            yield executor
    elif match := re.fullmatch(r"ray://(|.+:\d+)", name):
        with _open_ray(match[1]) as executor:
            yield executor
    else:
        raise ExecutorError(f"executor {name!r}: it must be {_KINDS}")


class LocalProcesses(Executor):
    """Processes of this machine; if one dies, only its own task fails.

    A thread of the pool takes a task, and for it an entry of `_idle`:

        None              starts a process
        a living worker   sends the task to it, and waits for the result or for its death
        a dead worker     starts a process in its place

    and puts the worker back when the task has ended.

    Processes are spawned and never forked, because a fork of a process with threads may hang. Leaving the `with` block
    by an exception kills them. A `ProcessPoolExecutor` ends all its processes when one dies, and waits for ever if that
    one was sending a result. So each process has its own connection here, on which both sides see the other's death.
    """

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(count, "convscope-process")
        self._idle: SimpleQueue[_Worker | None] = SimpleQueue()  # None stands for a process that is not started yet
        self._workers = list[_Worker]()
        self._is_closed = False
        # As many entries as threads, so a thread with a task never waits for a worker.
        for _ in range(count):
            self._idle.put(None)

    @property
    def pids(self) -> list[int]:
        """The processes that were started, except those found dead."""
        return [worker.pid for worker in self._workers]

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._threads.submit(self._run, fn, args, kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Shut down as any executor; without `wait`, the processes end with this one."""
        self._threads.shutdown(wait, cancel_futures=cancel_futures)
        if wait:
            for worker in self._workers:
                worker.end()

    def kill(self) -> None:
        """Kill the processes, and start no more."""
        self._is_closed = True  # before the list is copied, see `_start`
        for worker in list(self._workers):
            worker.kill()
        # Killed processes close their connections, so the threads that wait for them end.
        self.shutdown(cancel_futures=True)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            self.shutdown()
        else:
            self.kill()

    def _run(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a task in a free process; each process has a thread here that waits for it."""
        worker = self._idle.get()
        try:
            if worker is None or not worker.is_alive():
                worker = self._start(worker)
            return worker.run(fn, args, kwargs)
        finally:
            self._idle.put(worker)  # also a dead one, which the next task replaces

    def _start(self, dead: "_Worker | None") -> "_Worker":
        """Start a process, in place of the one that died if `dead` is not None."""
        if dead in self._workers:
            self._workers.remove(dead)
            dead.end()
        worker = _Worker()
        self._workers.append(worker)
        if self._is_closed:  # `kill` may have copied the list before this worker was in it
            worker.kill()
        return worker


class _Worker:
    """A process that runs one task after the other, and the parent's end of its connection."""

    def __init__(self) -> None:
        context = get_context("spawn")
        self._connection, child_end = context.Pipe()
        # A daemon, so that Python ends it at exit and does not wait for it.
        self._process = context.Process(target=_serve, args=(child_end,), daemon=True)
        # The process inherits this thread's mask, so Ctrl-C during its imports prints no traceback; `_serve` lifts it.
        # Here it stays: this is a thread of the pool, and Python handles signals in the main thread only.
        _mask_interrupts(is_blocked=True)
        self._process.start()
        child_end.close()  # then only the process holds this end, and its death ends our `recv`

    @property
    def pid(self) -> int:
        pid = self._process.pid
        assert pid is not None
        return pid

    def is_alive(self) -> bool:
        return self._process.is_alive()

    def run(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call `fn` in the process; return its result or raise its error, or `BrokenExecutor` if the process dies."""
        try:
            self._connection.send((fn, args, kwargs))
            has_result, value = self._connection.recv()
        except (EOFError, OSError) as error:
            self._process.kill()  # the connection can end a moment before the process
            self._process.join()
            raise BrokenExecutor(f"process {self.pid} ended before its task was finished") from error
        if has_result:
            return value
        raise value

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        """Let the process end after its last task."""
        self._connection.close()  # `_serve` takes a closed connection as the end of its tasks
        self._process.join()


def _serve(connection: "Connection[Any, Any]") -> None:
    """Run tasks from the connection until it is closed.

    The process ends at once on Ctrl-C, without a traceback, and when its parent ends in any way.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # first, so that a signal held back until now ends the process
    _mask_interrupts(is_blocked=False)
    # In the middle of a task the main thread does not look at the connection, so another one watches the parent.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, ConnectionError):  # the parent has closed the connection, or was killed
        while True:
            fn, args, kwargs = connection.recv()
            try:
                reply: tuple[bool, Any] = True, fn(*args, **kwargs)
            except Exception as error:  # any error of a task is raised in the parent, and the process serves the next
                reply = False, error
            connection.send(reply)


def _mask_interrupts(*, is_blocked: bool) -> None:
    """Block SIGINT in this thread, or let it through."""
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        if is_blocked:
            # `Process.start` needs this helper process of Python, and would unblock SIGINT after starting it itself.
            resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK if is_blocked else signal.SIG_UNBLOCK, {signal.SIGINT})


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    signal.raise_signal(signal.SIGTERM)  # ends the process whatever its main thread computes


@contextmanager
def _open_dask(address: str) -> Iterator[Executor]:
    distributed = _import_package("distributed", "dask")
    try:
        # Not the default client, which would take over other uses of Dask in this process.
        client = distributed.Client(f"tcp://{address}", timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ExecutorError(f"executor dask://{address}: no scheduler responds there ({error}); start one") from error
    with client:
        executor = DaskTasks(client)
        try:
            yield executor
        finally:
            with suppress(Exception):  # the scheduler may be gone
                executor.shutdown(wait=False)  # nobody waits for the remaining results


class DaskTasks(Executor):
    """Tasks of a Dask cluster as futures; if the scheduler is lost, some never end."""

    def __init__(self, client: Any) -> None:
        self._client, self._executor = client, client.get_executor()

    @property
    def is_lost(self) -> bool:
        """True if the connection to the scheduler is lost for good."""
        return bool(self._client.status == "closed")  # "connecting" while it tries again

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = self._executor.submit(fn, *args, **kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._executor.shutdown(wait=wait)


class RayTasks(Executor):
    """Tasks of a Ray cluster as futures, on one core each."""

    def __init__(self, ray: Any, is_connected: Callable[[], bool]) -> None:
        self._ray, self._is_connected = ray, is_connected
        self._tasks = dict[Future[Any], Any]()  # Ray's reference to each unfinished task

    @property
    def is_lost(self) -> bool:
        """True if the connection to the head of the cluster is lost for good."""
        return not self._is_connected()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self.is_lost:  # Ray would search for another cluster for minutes
            raise ConnectionError("the head of the cluster is gone")
        reference = self._ray.remote(num_cpus=1)(fn).remote(*args, **kwargs)
        future = Future[Any]()  # Ray's own future prints a traceback if its task finishes after it was cancelled
        self._tasks[future] = reference
        reference.future().add_done_callback(partial(self._finish, future))
        return future

    def _finish(self, future: Future[Any], ray_future: Future[Any]) -> None:
        del self._tasks[future]
        if not future.set_running_or_notify_cancel():  # it was cancelled, and takes no result
            return
        if (error := ray_future.exception()) is not None:
            future.set_exception(error)
        else:
            future.set_result(ray_future.result())

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        for reference in list(self._tasks.values()):
            if wait and not cancel_futures:
                self._ray.wait([reference])
            else:
                self._ray.cancel(reference, force=True)  # otherwise Ray would only interrupt its Python code


@contextmanager
def _open_ray(address: str) -> Iterator[Executor]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry, unless the user has set it
    ray = _import_package("ray", "ray")
    for name in ("ray.client_builder", "ray.util"):  # these log each attempt to connect
        logging.getLogger(name).setLevel(logging.ERROR)
    # Ray has one function for a client of a remote cluster, and another for a local cluster.
    is_connected = import_module("ray.util.client").ray.is_connected if address else ray.is_initialized
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a failure becomes the error below
            if address:
                ray.init(f"ray://{address}", log_to_driver=False)
            else:
                ray.init("local", include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        raise ExecutorError(f"executor ray://{address}: no cluster responds there ({error}); start one") from error
    executor = RayTasks(ray, is_connected)
    try:
        yield executor
    finally:
        executor.shutdown(wait=False)
        ray.shutdown()


def _import_package(name: str, extra: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise ExecutorError(f"executor {extra}:// needs {name}; run {install_command(extra)}") from error
