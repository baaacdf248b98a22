"""Make the record of a new run for `run.json`."""

from msgspec import UNSET, UnsetType

from convscope.base.records import from_attributes
from convscope.base.versions import FORMAT, own_version
from convscope.data.datasets import Splits
from convscope.experiment import RunSpec
from convscope.experiment.machine import describe_machine
from convscope.storage.records import JobOptions, RunData, RunFile, StartRecord
from convscope.training.records import SearchRecord


def make_run_record(
    spec: RunSpec,
    splits: Splits,
    threads: int,
    command: str,
    start: StartRecord | UnsetType = UNSET,
    job: JobOptions | None = None,
    search: SearchRecord | UnsetType = UNSET,
) -> RunFile:
    """Make the record of a run that is about to begin.

    Args:
        command: the command line or call that makes the run.
        start: the network that training starts from; unset for random weights.
        job: the options of the main job; None only trains and evaluates.
        search: the trials of the recipe `auto`.
    """
    machine = describe_machine(spec.engine, spec.recipe.precision)
    return RunFile(
        format=FORMAT,
        version=own_version(),
        dataset=from_attributes(RunData, splits.to_record(), argument=spec.dataset),
        architecture=spec.architecture.to_dict(),
        recipe=spec.recipe.to_dict(),
        seed=spec.seed,
        engine=spec.engine,
        threads=threads,
        # With the processor: the same seed gives the same bits only with the same instruction set.
        versions=machine.versions,
        cpu=machine.cpu,
        command=command,
        start=start,
        job=job or UNSET,
        search=search,
    )
