"""What `run.json` says about how a run was made."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from convscope.base.arguments import check_fields
from convscope.base.errors import RunError
from convscope.base.plain import from_plain
from convscope.data.datasets import Splits
from convscope.experiment import RunSpec
from convscope.experiment.run_json import machine_record


@dataclass(frozen=True)
class JobOptions:
    """What a run was asked for beside the training itself, by `convscope run` or `cs.run`.

    Attributes:
        seeds: how many runs of each network; None is as many as there is time for.
        index: the test image whose feature maps are shown.
    """

    baseline: bool = True
    seeds: int | None = None
    index: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        for name, value, least in (("seeds", self.seeds, 1), ("index", self.index, 0)):
            if value is not None and value < least:
                raise ValueError(f"{name} is {value}; it must be at least {least}")

    @classmethod
    def from_record(cls, record: Any) -> "JobOptions":
        """Return what `to_dict` wrote, as `run.json` holds it; raises `RunError` if it is no such object."""
        return from_plain(cls, record, "job", RunError)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def run_record(
    spec: RunSpec,
    splits: Splits,
    threads: int,
    command: str,
    start: Mapping[str, Any] | None = None,
    job: JobOptions | None = None,
) -> dict[str, Any]:
    """Describe a run that is about to begin, for its `run.json`.

    Args:
        command: the command line or call that makes the run.
        start: describes the network that training starts from; None is random weights.
        job: the options of the main job; None only trains and evaluates.
    """
    return {
        "dataset": {"argument": spec.dataset, **splits.to_dict()},
        "architecture": spec.architecture.to_dict(),
        "recipe": spec.recipe.to_dict(),
        "seed": spec.seed,
        "engine": spec.engine,
        "threads": threads,
        **machine_record(spec.engine, spec.recipe.precision),
        "command": command,
        **({} if start is None else {"from": dict(start)}),
        **({} if job is None else {"job": job.to_dict()}),
    }
