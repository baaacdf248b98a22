"""Train many runs, here or through any `concurrent.futures.Executor`.

With a folder, each finished run is stored under its digest at once, and is not trained again.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from convscope.base.arguments import checked
from convscope.base.errors import ConvscopeError, DivergedError
from convscope.base.files import inside
from convscope.data.datasets import Splits, load_dataset, make_portable
from convscope.engine import check_engine, check_precision, check_weight_bits
from convscope.experiment.executors import LocalProcesses
from convscope.experiment.records import DivergedRun
from convscope.experiment.result import RunResult
from convscope.experiment.shared_data import SharedSplits, share
from convscope.experiment.spec import RunSpec
from convscope.experiment.store import RunStore
from convscope.experiment.worker import Reply, WorkerResult, execute, read_reply, train_one, write_order
from convscope.storage import writing
from convscope.storage.writing import remove_partial_files
from convscope.training import TrainingState, check_classes, check_fit, check_recipe, hold_out

OnResult = Callable[[RunResult], None]
OnDiverged = Callable[[DivergedRun], None]
OnEpoch = Callable[[RunSpec, TrainingState], None]

_CHECK_SECONDS = 2.0  # time between checks that an executor is still there, while no run ends
_MAX_LOSSES = 3  # a run whose workers die this often probably kills them itself


@checked
def train_runs(
    specs: Sequence[RunSpec],
    data: Splits | str | Path,
    *,
    folder: Path | str | None = None,
    executor: Executor | None = None,
    threads: int | None = None,
    on_result: OnResult | None = None,
    on_diverged: OnDiverged | None = None,
    on_epoch: OnEpoch | None = None,
) -> list[RunResult]:
    """Train each of `specs` and measure it on the test images; return the results in the order of the specs.

    On processors with the same instruction set, weights and predictions are the same bytes wherever a run is computed.
    Specs that differ only in names are trained once.

    >>> import convscope as cs
    >>> data = cs.load_dataset("mnist")
    >>> tiny = cs.Splits(data.train.take(range(256)), data.test.take(range(200)))
    >>> specs = [RunSpec("", cs.presets.ann(), cs.Recipe(epochs=1), seed) for seed in (0, 1)]
    >>> [result.seed for result in train_runs(specs, tiny)]
    [0, 1]

    Args:
        data: the data set, or an argument of `load_dataset`; the specs' `dataset`, if they have one, gives the same.
        folder: runs are stored in `folder`/runs; None stores nothing. `open_run` and `load_model` take a run by its
            path `folder`/runs/DIGEST.
        executor: runs them; None for this process, one run after the other. A run whose worker dies is submitted again,
            a few times.
        threads: the engine's threads for each run; by default all cores in this process, and one with an executor.
        on_result: called in this thread with each result, those found in the folder first.
        on_diverged: called in this thread for each run whose training diverges, which then has no result; by default
            this is an error that ends the others too.
        on_epoch: called with a spec and its training state after each epoch, and first with the untrained network; not
            called for runs of an executor.

    Raises:
        ValueError: if the specs name different data, an executor needs data that exist only in memory, or a spec needs
            more images than there are.
        ConvscopeError: if a network, recipe or precision does not fit, an engine's packages are missing, the folder
            cannot be written, holds a damaged run or has another writer, training fails, or the workers of a run die
            again and again; finished runs stay in the folder.
        KeyboardInterrupt: within a second of Ctrl-C; finished runs stay in the folder. An executor ends runs that have
            begun itself.
    """
    splits = data if isinstance(data, Splits) else load_dataset(data)
    _check(specs, splits, executor)
    # `writing` locks the folder, so that no other process adds runs to it at the same time.
    with nullcontext() if folder is None else writing(Path(folder)):
        runs = None if folder is None else inside(Path(folder), "runs")
        if runs is not None:
            # Left by a process that was killed; nobody else can be writing them, as the folder is locked.
            remove_partial_files(runs.parent, runs, runs / "from")
        collector = _Collector(specs, splits, RunStore(splits, runs), on_result, on_diverged)
        # All stored runs before any is trained, so `on_result` has them first and a progress bar starts with them.
        waiting = collector.collect_stored()
        if executor is None:
            for digest, spec in waiting.items():
                listener = None if on_epoch is None else partial(on_epoch, spec)
                collector.receive(digest, partial(train_one, spec, splits, threads, listener))
        else:
            # Processes of this machine map the images from one file; a worker elsewhere loads them itself.
            with share(splits) if isinstance(executor, LocalProcesses) else nullcontext() as shared:
                _submit_all(waiting, splits, executor, threads or 1, collector.receive, shared)
        return collector.list_results()


def _check(specs: Sequence[RunSpec], splits: Splits, executor: Executor | None) -> None:
    """Raise an error for specs that cannot work, before anything is trained."""
    datasets = {spec.dataset for spec in specs}
    if len(datasets) > 1:
        raise ValueError(
            f"specs name different data: {', '.join(map(repr, sorted(datasets)))}; they must share one data set"
        )
    if executor is not None and "" in datasets and not isinstance(executor, LocalProcesses):
        raise ValueError(
            "dataset is '': data that exist only in memory cannot be sent to another machine; run with local:N or "
            "without an executor, or save the data as files and give their path"
        )
    check_classes(splits.train)
    # Specs that differ only in the seed pass or fail together, and an experiment may have thousands.
    checked_settings = set[tuple[Any, ...]]()
    for spec in specs:
        settings = (spec.architecture, spec.recipe, spec.engine, spec.num_images)
        if settings in checked_settings:
            continue
        checked_settings.add(settings)
        check_fit(spec.architecture, splits.train)
        check_recipe(spec.recipe, spec.architecture)
        check_engine(spec.engine)
        check_precision(spec.recipe.precision, spec.engine)
        check_weight_bits(spec.recipe.weight_bits, spec.engine)
        drawn_splits = spec.draw(splits)
        # For its errors alone: validation images may be too few, or not new to the network that training starts from.
        hold_out(drawn_splits, spec.recipe, spec.seed, unseen=spec.unseen(drawn_splits.train))


class _Collector:
    """Collect the runs of `specs` from the store and from training, and pass each to the listeners.

    Specs that differ only in names share a run and its digest: it is trained once, and reported for each of them. So
    everything here goes by digests, and `_sharing` has the specs of each.
    """

    def __init__(
        self,
        specs: Sequence[RunSpec],
        splits: Splits,
        store: RunStore,
        on_result: OnResult | None,
        on_diverged: OnDiverged | None,
    ) -> None:
        self._store, self._on_result, self._on_diverged = store, on_result, on_diverged
        self._order = [(spec.digest(splits), spec) for spec in specs]
        self._sharing = dict[str, list[RunSpec]]()
        for digest, spec in self._order:
            self._sharing.setdefault(digest, []).append(spec)
        self._results = dict[str, RunResult]()

    def collect_stored(self) -> dict[str, RunSpec]:
        """Collect the runs of the store; return a spec for each digest that is still to train."""
        waiting, stored = dict[str, RunSpec](), self._store.stored
        with self._store.reading():
            for digest, [spec, *_] in self._sharing.items():  # any of the specs that share a run can train it
                if (result := self._store.find(spec, digest)) is not None:
                    self._add_result(digest, result)
                elif stored is not None and (reason := stored.find_divergence(digest)) is not None:
                    self._report_diverged(digest, reason)
                else:
                    waiting[digest] = spec
        return waiting

    def receive(self, digest: str, train: Callable[[], WorkerResult]) -> None:
        """Store the result of `train` and pass it on; `train` trains the run, or reads the reply of its worker.

        The call is made here, so that a run that diverges is treated alike wherever it was trained.
        """
        spec = self._sharing[digest][0]
        try:
            result = self._store.keep(spec, digest, train())
        except DivergedError as error:
            reason = str(error).removeprefix(f"{spec.title}: ")  # a `DivergedRun` has the title's parts itself
            if self._store.stored is not None:  # the same training would diverge again
                self._store.stored.add_divergence(digest, reason)
            self._report_diverged(digest, reason)
        else:
            self._add_result(digest, result)

    def list_results(self) -> list[RunResult]:
        """List the results in the order of the specs, without runs that diverged."""
        return [_copy_names(self._results[digest], spec) for digest, spec in self._order if digest in self._results]

    def _add_result(self, digest: str, result: RunResult) -> None:
        self._results[digest] = result
        if self._on_result is not None:
            for spec in self._sharing[digest]:
                self._on_result(_copy_names(result, spec))

    def _report_diverged(self, digest: str, reason: str) -> None:
        for spec in self._sharing[digest]:
            if self._on_diverged is None:
                raise DivergedError(f"{spec.title}: {reason}")
            network, recipe = spec.architecture.name, spec.recipe.name
            self._on_diverged(
                DivergedRun(architecture=network, recipe=recipe, seed=spec.seed, name=spec.name, reason=reason)
            )


def _copy_names(result: RunResult, spec: RunSpec) -> RunResult:
    """Give a result the names of a spec: specs that differ only in names share a run."""
    return replace(result, architecture=spec.architecture.name, recipe=spec.recipe.name, name=spec.name)


def _submit_all(
    waiting: Mapping[str, RunSpec],
    splits: Splits,
    executor: Executor,
    threads: int,
    receive: Callable[[str, Callable[[], WorkerResult]], None],
    shared: SharedSplits | None,
) -> None:
    """Submit all runs to `executor`, and pass each reply to `receive` as it comes.

        waiting ── submit ──▶ pending ── its future ends ──▶ ended ──▶ receive
                      ▲                                        │
                      └───────────── its worker was lost ──────┘

    A future that ends with an error has lost its worker, since `execute` returns the errors of a training. Its run is
    submitted again, until it has lost `_MAX_LOSSES` workers.
    """
    pending = dict[Future[Reply], str]()  # the digest of the run of each future
    # A queue of ended futures, since `concurrent.futures.wait` would check all pending ones for each reply.
    ended = SimpleQueue[Future[Reply]]()
    losses = Counter[str]()  # how many workers were lost, by the digest of the run that each had

    def submit(digest: str) -> None:
        try:
            future = executor.submit(execute, write_order(waiting[digest], splits, threads), shared)
        except Exception as error:  # each kind of executor has its own errors
            raise ConvscopeError(
                f"the executor accepts no more runs ({_describe_error(error)}); finished runs are kept, so start it "
                "again to continue"
            ) from error
        pending[future] = digest
        future.add_done_callback(ended.put)

    try:
        for digest in waiting:
            submit(digest)
        while pending:
            future = _wait_for_next(ended, executor)
            digest = pending.pop(future)
            try:
                reply = future.result()
            except Exception as error:  # the worker died, or could not start
                losses[digest] += 1
                if losses[digest] == _MAX_LOSSES:
                    raise ConvscopeError(
                        f"{waiting[digest].title}: lost {_MAX_LOSSES} workers, the last with {_describe_error(error)}; "
                        "check their memory and their log; finished runs are kept"
                    ) from error
                submit(digest)
                continue
            receive(digest, partial(read_reply, waiting[digest], reply))
    finally:
        for future in pending:
            with suppress(Exception):  # a lost cluster may raise here, and must not hide the first error
                future.cancel()


def _wait_for_next(ended: SimpleQueue[Future[Reply]], executor: Executor) -> Future[Reply]:
    """Wait for the next future that ends; raises `ConvscopeError` if the connection to the executor is lost."""
    while True:
        try:
            return ended.get(timeout=_CHECK_SECONDS)
        except Empty:
            # A lost cluster leaves futures that never end. Executors of other libraries cannot tell.
            if getattr(executor, "is_lost", False):
                raise ConvscopeError(
                    "the executor does not answer any more; finished runs are kept, so start it again to continue"
                ) from None


def _describe_error(error: BaseException) -> str:
    """Describe an error by its type and the first line of its text."""
    return f"{type(error).__name__}: {error}".partition("\n")[0].rstrip(": ")


def train_and_list_diverged(
    specs: Sequence[RunSpec], splits: Splits, *, on_diverged: OnDiverged | None = None, **options: Any
) -> tuple[list[RunResult], list[DivergedRun]]:
    """Train as `train_runs`, and also return the runs that diverged; `on_diverged` is called for each of them."""
    diverged = list[DivergedRun]()

    def add(run: DivergedRun) -> None:
        diverged.append(run)
        if on_diverged is not None:
            on_diverged(run)

    return train_runs(specs, splits, on_diverged=add, **options), diverged


def load_with_argument(data: Splits | str | Path, dataset: str | None) -> tuple[Splits, str]:
    """Load the data, and choose the argument by which another process loads them: `dataset`, or "" if there is none."""
    splits = data if isinstance(data, Splits) else load_dataset(data)
    if dataset is None and not isinstance(data, Splits):
        dataset = str(data)
    return splits, make_portable(dataset) if dataset else ""
