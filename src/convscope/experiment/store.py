"""Store finished runs in a folder (see `convscope.storage.stored_runs`), or nowhere.

A run is found again by its digest. Runs that differ only in the seed are a group, whose settings are stored once.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from msgspec import UNSET

from convscope.base.errors import RunError
from convscope.base.files import inside
from convscope.base.records import from_attributes
from convscope.data.datasets import Splits
from convscope.experiment.result import RunResult
from convscope.experiment.spec import RunSpec
from convscope.experiment.start import Start
from convscope.experiment.worker import WorkerResult
from convscope.storage import NOTHING, StoredGroup, StoredRun, StoredRuns, write_trained_on
from convscope.storage.opening import name_start_file, name_trained_on_file
from convscope.storage.records import RunData, SharedRecord
from convscope.storage.run_database import DamagedRunError, has_database


class RunStore:
    """The runs on `splits` that are stored in the folder `runs`; with None, nothing is stored."""

    def __init__(self, splits: Splits, runs: Path | None) -> None:
        """Open the store; raises `RunError` if it is damaged, or its runs classified other test images."""
        self.splits = splits
        self.stored = None if runs is None else StoredRuns(runs)
        self._groups = dict[str, StoredGroup]()  # the groups by their digests
        if self.stored is not None and not self.stored.has_labels(splits.test.labels, splits.num_classes):
            raise RunError(f"{runs}: has runs that classified other test images; choose another folder")

    def reading(self) -> AbstractContextManager[Any]:
        """Keep the database open for all reading in the block."""
        has_runs = self.stored is not None and has_database(self.stored.path)
        return self.stored.reading() if self.stored is not None and has_runs else nullcontext()

    def find(self, spec: RunSpec, digest: str) -> RunResult | None:
        """Find the stored run of a digest; None if it must be trained, because it is missing or damaged."""
        try:
            run = None if self.stored is None else self.stored.find(digest)
        except DamagedRunError:  # training it again replaces its row
            return None
        return None if run is None else replace(self.result(spec, run), is_earlier=True)

    def keep(self, spec: RunSpec, digest: str, trained: WorkerResult) -> RunResult:
        """Store a trained run, whole or not at all; raises `ConvscopeError` if it cannot be written."""
        labels = self.splits.test.labels
        accuracy = float((trained.y_pred == labels).mean())
        if self.stored is None:
            return RunResult.from_spec(
                spec, self.splits, digest=digest, history=trained.history, weights_sha256=trained.model.weights_sha256,
                accuracy=accuracy, loss=trained.loss, y_pred=trained.y_pred,
            )  # fmt: skip
        facts = {"seed": spec.seed, "digest": digest, "accuracy": accuracy, "loss": trained.loss}
        facts |= {"threads": trained.threads, "machine": trained.machine}
        group = self._make_group(spec, trained)
        # From the stored run, so a result is the same whether it was trained now or read back.
        return self.result(
            spec, self.stored.append(group, trained.model, trained.history, labels, trained.y_pred, facts)
        )

    def result(self, spec: RunSpec, run: StoredRun) -> RunResult:
        """Make the result of a stored run, with the names of `spec`."""
        return RunResult.from_spec(
            spec, self.splits, digest=run.digest, history=run.history, weights_sha256=run.weights_sha256,
            accuracy=run.accuracy, loss=run.loss, y_pred=run.y_pred, kept=run.folder,
        )  # fmt: skip

    def _make_group(self, spec: RunSpec, trained: WorkerResult) -> StoredGroup:
        """Make the group that the run is stored in: the part of its description that other seeds share."""
        digest = spec.group_digest(self.splits)
        # Once for all runs of a group: this reads the start's file, and computes digests of all images.
        if digest not in self._groups:
            start = spec.open_start(self.splits)
            record, provenance = self._make_shared_record(spec, start), dict(trained.model.provenance)
            if start is not None:
                provenance["from"] = start.model.weights_sha256
            self._write_group_files(record, start)
            handwriting = trained.model.handwriting
            self._groups[digest] = StoredGroup(digest, record, spec.architecture, spec.recipe, provenance, handwriting)
        return self._groups[digest]

    def _make_shared_record(self, spec: RunSpec, start: Start | None) -> SharedRecord:
        """Make the part of `run.json` that the runs of `spec` share with other seeds."""
        data = self.splits.to_record()
        return SharedRecord(
            # No argument of `load_dataset` gives held-out splits.
            dataset=from_attributes(RunData, data, argument=spec.dataset if spec.held_out is None else ""),
            engine=spec.engine,
            num_images=spec.num_images or data.train.num_images,
            weights_seed=UNSET if spec.weights_seed is None else spec.weights_seed,
            start=UNSET if start is None else start.to_record(self.splits),
        )

    def _write_group_files(self, record: SharedRecord, start: Start | None) -> None:
        """Write the network that the runs of a group start from, and the digests of all images they were trained on.

        The names of both files have digests of what decides their content, so an existing file is not written again.
        """
        assert self.stored is not None
        if start is not None and record.start:
            start_file = inside(self.stored.path, name_start_file(record.start))
            if not start_file.exists():
                start_file.parent.mkdir(parents=True, exist_ok=True)
                start.save(start_file)
        # The images of the start, and those of the runs. Without the former, the whole is unknown, and has no file.
        known = NOTHING if start is None else start.known
        trained_on_file = inside(self.stored.path, name_trained_on_file(record))
        if known is not None and not trained_on_file.exists():
            write_trained_on(trained_on_file, known.union(self.splits.train))
