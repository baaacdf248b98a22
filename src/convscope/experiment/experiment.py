"""Compare architectures and recipes over seeds: `run_experiment`.

Each mean has two intervals: one for other seeds on the same test images, and one for other seeds and other images.
"""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture.presets import AnyArchitecture, network_for
from convscope.base.arguments import Seeds, checked
from convscope.base.errors import DivergedError
from convscope.base.records import Recorded, from_attributes
from convscope.base.statistics import group_accuracy_interval
from convscope.base.tables import clip, html_table, percent, printable, text_table
from convscope.base.versions import FORMAT, own_version
from convscope.data.datasets import Dataset, Splits
from convscope.engine import EngineName
from convscope.evidence.comparison import GroupComparison, RunGroup, compare_groups
from convscope.evidence.comparison.words import format_coverage
from convscope.experiment.architectures import format_interval
from convscope.experiment.records import DivergedRun, ExperimentRecord, GroupRecord, Lead
from convscope.experiment.result import RunResult
from convscope.experiment.runs import OnDiverged, OnEpoch, OnResult, load_with_argument, train_and_list_diverged
from convscope.experiment.spec import RunSpec
from convscope.recipes import AnyRecipe, recipe_named
from convscope.training import default_recipe

_HEADER = (
    "Architecture", "Recipe", "Runs", "Mean", "SD (points)", "95 % (seeds)", "95 % (+ images)", "Minimum", "Maximum",
)  # fmt: skip
_WIDTH = 100  # characters of a line of text
_MAX_NAME_LETTERS = 24  # letters of a name in the table, which has seven columns beside the two names
_MAX_VALUES = 200  # accuracies of a group that are printed: some 30 lines


@dataclass(frozen=True, eq=False)
class Experiment(Recorded):
    """Runs of architectures and recipes over seeds, measured on the same test images.

    Attributes:
        y_true: (N,), the labels of the test images.
        num_training_images: the size of the training set; a run may have used fewer, see `RunResult.num_images`.
        diverged: the runs that gave no model and are in no mean.
        level: the significance level of the test of `lead`; lower if a plan looks at results several times.

    Raises:
        ValueError: if there is no run, or a run without a prediction for each label.
    """

    dataset_name: str
    y_true: NDArray[np.integer[Any]] = field(repr=False)
    num_training_images: int
    runs: tuple[RunResult, ...] = field(repr=False)
    diverged: tuple[DivergedRun, ...] = field(default=(), repr=False)
    level: float = 0.05

    def __post_init__(self) -> None:
        if not self.runs:
            raise ValueError("an experiment needs at least one run")
        for run in self.runs:
            if run.y_pred.shape != self.y_true.shape:
                raise ValueError(
                    f"run {run.digest} has predictions {run.y_pred.shape} for labels {self.y_true.shape}; give the "
                    "labels of the images that the runs classified"
                )

    @property
    def num_images(self) -> int:
        """The number of test images."""
        return len(self.y_true)

    @property
    def instruction_sets(self) -> dict[str, int]:
        """The number of runs for each recorded instruction set, the most frequent first."""
        sets = (run.kept.record.cpu.instruction_set for run in self.runs if run.kept is not None)
        # Runs of the engine `keras` have none (UNSET).
        return dict(Counter(name for name in sets if isinstance(name, str)).most_common())

    @cached_property
    def table(self) -> tuple[GroupRecord, ...]:
        """A group for each architecture, recipe and variant, in the order of their first runs."""
        groups = dict[tuple[str, str, str], list[RunResult]]()
        for run in self.runs:
            groups.setdefault((run.architecture, run.recipe, run.name), []).append(run)
        wrong = {key: np.array([run.y_pred != self.y_true for run in runs]) for key, runs in groups.items()}
        return tuple(
            GroupRecord.of(key, [run.accuracy for run in runs], group_accuracy_interval(wrong[key]))
            for key, runs in groups.items()
        )

    @cached_property
    def lead(self) -> GroupComparison | None:
        """The comparison of the group with the highest mean with the next; None for one group."""
        if len(self.table) == 1:
            return None
        first, second = sorted(self.table, key=lambda group: -group.mean)[:2]
        comparison = compare_groups(self._to_run_group(first), self._to_run_group(second), level=self.level)
        # The two groups are chosen by their results, so the p-value counts for all pairs (Bonferroni): among four
        # groups there are six pairs, and a p-value of 0.01 becomes 0.06.
        pairs = len(self.table) * (len(self.table) - 1) // 2
        if pairs == 1:
            return comparison
        # With a `level` other than 0.05, the comparison already has a p-value that is adjusted to this level.
        p_value = comparison.p_value if comparison.adjusted_p_value is None else comparison.adjusted_p_value
        return replace(comparison, adjusted_p_value=min(pairs * p_value, 1.0))

    def runs_of(self, group: GroupRecord) -> list[RunResult]:
        """List the runs of `group`."""
        return [run for run in self.runs if (run.architecture, run.recipe, run.name) == group.key]

    def predictions_of(self, group: GroupRecord, test: Dataset) -> RunGroup:
        """Collect the predictions of a group on `test` for `compare_groups`.

        Raises:
            ValueError: if the labels show that the runs classified other images.
        """
        if not np.array_equal(test.labels, self.y_true):
            raise ValueError(
                f"the runs classified other images than the {len(test):,} of {test.name}; give their test set"
            )
        return replace(self._to_run_group(group), dataset_name=test.name, split=test.split)

    def _to_run_group(self, group: GroupRecord) -> RunGroup:
        runs = self.runs_of(group)
        return RunGroup(
            name=group.title,
            seeds=tuple(run.seed for run in runs),
            y_true=self.y_true,
            y_pred=np.stack([run.y_pred for run in runs]),
            dataset_name=self.dataset_name,
            split="test",
            # These three follow from the network and the recipe, which all runs of a group share.
            parameters=runs[0].parameters,
            macs=runs[0].macs,
            weights_bytes=runs[0].weights_bytes,
            training_seconds=float(np.mean([run.seconds for run in runs])),
        )

    def to_record(self) -> ExperimentRecord:
        lead = None if self.lead is None else from_attributes(Lead, self.lead)
        # Fields that this class has under another name, or not at all.
        changes = {"dataset": self.dataset_name, "split": "test", "lead": lead}
        return from_attributes(ExperimentRecord, self, format=FORMAT, version=own_version(), **changes)

    @property
    def summary(self) -> str:
        """The measurements and a row for each group of runs, as text."""
        return f"{self._headline()}\n\n{text_table(_HEADER, self._rows(), left=2)}"

    def __str__(self) -> str:
        parts = [self.summary, self._note(), *map(self._list_accuracies, self.table)]
        if self.diverged:
            parts.append("\n".join(printable(f"{run.title}: {run.reason}") for run in self.diverged))
        return "\n\n".join(parts).replace("\N{NO-BREAK SPACE}", " ")

    def _list_accuracies(self, group: GroupRecord) -> str:
        """List the accuracies of a group in percent by seed, as `0: 98.61 1: 98.70`, or name the file with them."""
        if group.num_runs > _MAX_VALUES:
            return f"{clip(group.title, _WIDTH - 60)}: the accuracies of its {group.num_runs:,} runs are in runs.csv"
        # The no-break space keeps `fill` from breaking a line between a seed and its accuracy; `__str__` replaces it.
        values = " ".join(f"{run.seed}:\N{NO-BREAK SPACE}{100 * run.accuracy:.2f}" for run in self.runs_of(group))
        lines = fill(values, _WIDTH, initial_indent="  ", subsequent_indent="  ")
        return f"{clip(group.title, _WIDTH - 20)}: accuracy in % by seed\n{lines}"

    def _repr_html_(self) -> str:
        table = html_table(_HEADER, self._rows(), left=2)
        return f"<p>{escape(self._headline())}</p>{table}<p>{escape(self._note())}</p>"

    def _headline(self) -> str:
        runs = f"{len(self.runs)} run{'' if len(self.runs) == 1 else 's'}"
        return printable(f"{runs}, accuracy on {self.num_images:,} test images of {self.dataset_name}")

    def _note(self) -> str:
        note = (
            "Each mean has two 95 % intervals. The first covers other seeds on these test images (Student's t). The "
            "second covers other seeds and other images, so it describes the accuracy of such a network."
        )
        # Intervals over the fewest runs are the least exact ones, so the note says how often those cover the truth.
        fewest = min((group.num_runs for group in self.table if group.num_runs > 1), default=0)
        if fewest and (covered := format_coverage(fewest)):
            note += f" {covered}"
        if any(group.num_runs == 1 for group in self.table):
            note += " The interval of a single run covers other images alone."
        if self.diverged:
            note += " Runs that diverged have no model and are not part of any mean."
        if len(sets := self.instruction_sets) > 1:
            counted = ", ".join(f"{count:,} with {name}" for name, count in sets.items())
            note += (
                f" Runs were computed with different instruction sets ({counted}): a seed gives other weights on each."
            )
        return fill(note, _WIDTH)

    def _rows(self) -> list[tuple[str, ...]]:
        num_diverged = Counter((run.architecture, run.recipe, run.name) for run in self.diverged)
        rows = [
            (
                *_clip_names(*group.key),
                _format_count(group.num_runs, num_diverged[group.key]),
                percent(group.mean),
                "none" if group.sd is None else f"{100 * group.sd:.2f}",
                format_interval(group.interval),
                format_interval(group.interval_with_images),
                percent(group.minimum),
                percent(group.maximum),
            )
            for group in self.table
        ]
        # Then the groups whose runs all diverged: they have no accuracies, and so are not in `table`.
        nothing = ("none",) * (len(_HEADER) - 3)  # the columns after the two names and the number of runs
        measured = {group.key for group in self.table}
        return rows + [
            (*_clip_names(*key), _format_count(0, count), *nothing)
            for key, count in num_diverged.items()
            if key not in measured
        ]


def _clip_names(architecture: str, recipe: str, name: str) -> tuple[str, str]:
    return clip(", ".join(filter(None, (architecture, name))), _MAX_NAME_LETTERS), clip(recipe, _MAX_NAME_LETTERS)


def _format_count(num_runs: int, num_diverged: int) -> str:
    return f"{num_runs} ({num_diverged} diverged)" if num_diverged else f"{num_runs}"


@checked
def run_experiment(
    architectures: Sequence[AnyArchitecture],
    data: Splits | str | Path,
    recipes: Sequence[AnyRecipe] = (),
    seeds: Seeds = range(5),
    *,
    dataset: str | None = None,
    num_images: int | None = None,
    engine: EngineName = "native",
    folder: Path | str | None = None,
    executor: Executor | None = None,
    threads: int | None = None,
    on_result: OnResult | None = None,
    on_diverged: OnDiverged | None = None,
    on_epoch: OnEpoch | None = None,
) -> Experiment:
    """Train every architecture with every recipe from every seed, and measure them on the test images.

    >>> import convscope as cs
    >>> data = cs.load_dataset("mnist")
    >>> tiny = cs.Splits(data.train.take(range(256)), data.test.take(range(200)))
    >>> result = run_experiment([cs.presets.ann], tiny, [cs.Recipe(epochs=1)], seeds=range(3))
    >>> group = result.table[0]
    >>> group.num_runs, group.minimum <= group.mean <= group.maximum
    (3, True)

    Args:
        architectures: networks, names of presets or functions as `train` takes them, with different names.
        data: the data set, or an argument of `load_dataset`.
        recipes: recipes or names of built-in recipes, with different names; if empty, each network is trained with its
            preset's recipe, or with `classic`.
        dataset: the argument of `load_dataset` that gives `data`, if an executor is used and `data` is a data set.
        num_images: the number of training images for each run, drawn by its seed; None for all.
        folder, executor, threads, on_result, on_epoch: as for `train_runs`. With a folder, the same call continues.
        on_diverged: called in this thread for each run whose training diverges; the others continue.

    Raises:
        DivergedError: if every run diverges.
        ValueError: if there is nothing to run, two architectures or recipes share a name, or a seed is there twice; and
            as `train_runs`.
        ConvscopeError, KeyboardInterrupt: as `train_runs`.
    """
    splits, argument = load_with_argument(data, dataset)
    networks = [network_for(architecture, splits.image_shape, splits.num_classes) for architecture in architectures]
    named_recipes, seeds = [recipe_named(recipe) for recipe in recipes], list(seeds)
    for kind, names in (
        ("architectures", [network.name for network in networks]),
        ("recipes", [recipe.name for recipe in named_recipes]),
        ("seeds", seeds),
    ):
        if not names and kind != "recipes":
            raise ValueError(f"there are no {kind}; give at least one")
        # Groups of runs are told apart by their names, so a name used twice would mix two of them.
        for name, times in Counter[Any](names).most_common(1):
            if times > 1:
                raise ValueError(f"{times} {kind} are {name!r}; each needs its own name")
    specs = [
        RunSpec(argument, network, recipe, seed, engine, num_images)
        for network in networks
        for recipe in named_recipes or [default_recipe(network)]
        for seed in seeds
    ]
    return run_specs(
        specs,
        splits,
        folder=folder,
        executor=executor,
        threads=threads,
        on_result=on_result,
        on_diverged=on_diverged,
        on_epoch=on_epoch,
    )


def run_specs(specs: Sequence[RunSpec], splits: Splits, **options: Any) -> Experiment:
    """Train `specs` as `train_runs` does, with the same options; raises `DivergedError` if every run diverges."""
    runs, diverged = train_and_list_diverged(specs, splits, **options)
    if not runs:
        raise DivergedError(f"{diverged[0].title}: {diverged[0].reason}; all other runs diverged too")
    return Experiment(splits.name, splits.test.labels, len(splits.train), tuple(runs), tuple(diverged))
