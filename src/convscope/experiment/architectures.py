"""Measure the effect of parts of a design: retrain a network with one thing removed or changed.

A variant is such a network: one without pooling, for example, or with half the filters. Each is trained from the same
seeds as the whole network, and compared with it over seeds and test images. All share the recipe, though another might
suit a variant better.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta

from convscope.architecture import Architecture
from convscope.architecture.presets import AnyArchitecture, network_for
from convscope.base.arguments import Seeds, checked
from convscope.base.records import Change, Count, Fraction, Interval, Positive, Record, Seconds, from_attributes
from convscope.base.statistics import Flags, group_accuracy_interval, group_difference
from convscope.base.tables import Tabular, clip, percent, percent_interval
from convscope.data.datasets import Splits
from convscope.engine import EngineName
from convscope.evidence.ablation.significance import FALSE_DISCOVERY_RATE, Marking, mark
from convscope.evidence.ablation.variants import LeftOut, Variant, variants, variants_left_out
from convscope.evidence.records import DataRecord
from convscope.experiment.result import RunResult
from convscope.experiment.runs import OnResult, train_runs
from convscope.experiment.spec import RunSpec
from convscope.recipes import AnyRecipe, recipe_named

WHOLE = "whole network"
Verdict = Literal["worse", "better", "no difference shown"]

_MAX_TIMES_MACS = 10.0  # multiply-adds of a variant, relative to those of the network
# Of a variant, unless the network itself has more. Each training step writes all parameters several times, so a variant
# with more of them takes long although its multiply-adds may be few.
_MAX_PARAMETERS = 5_000_000


class VariantResult(Record, kw_only=True):
    """A variant, or the whole network, trained from each seed.

    Attributes:
        change: the difference from the whole network, in words.
        accuracies: those on the test images, 0 to 1, in the order of the seeds; with their `mean`.
        interval: (low, high), the 95 % interval of the mean over seeds and images; for one seed over images only.
        num_images: the number of training images.
        seconds: the training time, the mean of the runs.
        difference: its mean accuracy minus that of the whole network; 0.0 for the whole network itself.
        difference_interval: (low, high), its 95 % interval over seeds and images, see `statistics.group_difference`;
            None for one seed.
        p_value: that of the hypothesis of no difference; 1.0 for one seed.
        verdict: "worse" or "better" if the difference is significant among those of all variants, by Benjamini and
            Hochberg's rule: at most one in twenty significant differences is expected to be a false positive.
    """

    name: str
    change: str
    accuracies: tuple[Fraction, ...]
    mean: Fraction
    interval: Interval | None
    parameters: Count
    macs: Count
    num_images: Positive
    seconds: Seconds
    difference: Change
    difference_interval: Interval | None
    p_value: Fraction
    verdict: Verdict


Variants = Annotated[tuple[VariantResult, ...], Meta(min_length=1)]


class ArchitectureRuns(DataRecord, kw_only=True):
    """The settings of the trainings of a network and its variants.

    Attributes:
        architecture: the network's name.
        num_images: the number of test images.
        num_training_images: the number of training images; a variant may use fewer.
        left_out: the variants that were not trained, with the reason.
    """

    architecture: str
    recipe: str
    seeds: tuple[Count, ...]
    num_training_images: Positive
    false_discovery_rate: Fraction
    marking: Marking
    left_out: tuple[LeftOut, ...]


class ArchitectureAblation(Tabular, Record, kw_only=True):
    """A network and its variants, retrained over seeds.

    Attributes:
        architectures: the whole network, then its variants, the worst first.
    """

    _header = (
        *("Variant", "Accuracy", "95 % interval", "Change (points)", "95 % interval"),
        *("Verdict", "Parameters", "MACs", "Seconds"),
    )

    architectures: Variants  # never empty: the network itself is the first
    architecture_runs: ArchitectureRuns

    @property
    def whole(self) -> VariantResult:
        """The network without a change."""
        return self.architectures[0]

    @property
    def variants(self) -> tuple[VariantResult, ...]:
        """The variants, the worst first."""
        return self.architectures[1:]

    def _lines(self) -> list[str]:
        """List the variants that were left out, in a line for each reason."""
        names = dict[str, list[str]]()
        for left_out in self.architecture_runs.left_out:
            names.setdefault(left_out.reason, []).append(left_out.name)
        return [f"Left out because {reason}: {', '.join(group)}" for reason, group in names.items()]

    def _headline(self) -> str:
        runs = self.architecture_runs
        seeds = f"{len(runs.seeds)} seed{'' if len(runs.seeds) == 1 else 's'}"
        return (
            f"Variants of {runs.architecture}, recipe {runs.recipe}, {seeds}: accuracy on {runs.num_images:,} test "
            f"images of {runs.dataset_name}"
        )

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                clip(architecture.name, 24),
                percent(architecture.mean),
                format_interval(architecture.interval),
                "" if architecture is self.whole else f"{100 * architecture.difference:+.2f}",
                "" if architecture is self.whole else format_interval(architecture.difference_interval, "+"),
                "" if architecture is self.whole else architecture.verdict,
                f"{architecture.parameters:,}",
                f"{architecture.macs:,}",
                f"{architecture.seconds:.1f}",
            )
            for architecture in self.architectures
        ]


def format_interval(interval: tuple[float, float] | None, sign: str = "") -> str:
    """Format an interval of accuracies; `sign` is "+" to show plus signs."""
    return "none" if interval is None else percent_interval(interval, sign)


@dataclass(frozen=True)
class ArchitecturePlan:
    """The trainings of `ablate_architecture`, and their cost.

    Attributes:
        variants: without the whole network.
        num_runs: the number of trainings over all seeds, with those of the whole network.
        times: the multiply-adds of all trainings, relative to one training of the network; seconds are roughly
            proportional. With 5 seeds and two variants that need 0.5 and 2 times the network's, 5 · (1 + 0.5 + 2).
    """

    variants: tuple[Variant, ...]
    left_out: tuple[LeftOut, ...]
    num_runs: int
    times: float


def plan_architectures(
    architecture: Architecture, splits: Splits, num_seeds: int = 5, most_times_macs: float = _MAX_TIMES_MACS
) -> ArchitecturePlan:
    """List the variants to train and their cost, before training starts.

    Args:
        most_times_macs: the largest multiply-adds of a variant, relative to the network's. Variants with more are left
            out, and so are those with more than five million parameters.
    """
    to_train, left_out = list[Variant](), list(variants_left_out(architecture))
    # Multiply-adds of an epoch, of the network and of all variants together.
    epoch_macs, epoch_macs_of_variants = architecture.macs * len(splits.train), 0
    for variant in variants(architecture):
        # A variant that differs only in being trained with fewer images needs data with more images than that.
        if variant.num_images is not None and variant.num_images >= len(splits.train):
            left_out.append(LeftOut(name=variant.name, reason=f"there are only {len(splits.train):,} training images"))
        elif variant.architecture.macs > most_times_macs * architecture.macs:
            times = variant.architecture.macs / architecture.macs
            left_out.append(
                LeftOut(name=variant.name, reason=f"it needs {times:.0f} times the multiply-adds of the network")
            )
        elif variant.architecture.parameters > max(_MAX_PARAMETERS, architecture.parameters):
            left_out.append(LeftOut(name=variant.name, reason=f"it has {variant.architecture.parameters:,} parameters"))
        else:
            to_train.append(variant)
            epoch_macs_of_variants += variant.architecture.macs * (variant.num_images or len(splits.train))
    times = num_seeds * (1 + epoch_macs_of_variants / epoch_macs)
    return ArchitecturePlan(tuple(to_train), tuple(left_out), num_seeds * (1 + len(to_train)), times)


@checked
def ablate_architecture(
    architecture: AnyArchitecture,
    splits: Splits,
    recipe: AnyRecipe,
    seeds: Seeds = range(5),
    *,
    dataset: str = "",
    engine: EngineName = "native",
    folder: Path | str | None = None,
    executor: Executor | None = None,
    threads: int | None = None,
    on_result: OnResult | None = None,
    most_times_macs: float = _MAX_TIMES_MACS,
) -> ArchitectureAblation:
    """Train `architecture` and its variants from every seed, and compare them on the test images.

    >>> import convscope as cs
    >>> data = cs.load_dataset("mnist")
    >>> tiny = cs.Splits(data.train.take(range(99)), data.test.take(range(200)))
    >>> result = ablate_architecture(cs.presets.ann(), tiny, cs.Recipe(epochs=1), seeds=(0, 1))
    >>> result.whole.name, len(result.whole.accuracies), result.variants[0].verdict in ("worse", "no difference shown")
    ('whole network', 2, True)

    Args:
        dataset: the argument of `load_dataset` that gives `splits`, if an executor is used.
        folder, executor, threads, on_result: as for `train_runs`. With a folder, the same call continues.
        most_times_macs: as for `plan_architectures`, which computes the cost.

    Raises:
        ValueError: if there is no seed or a duplicate; and as `train_runs`.
        ConvscopeError, KeyboardInterrupt: as `train_runs`.
    """
    architecture = network_for(architecture, splits.image_shape, splits.num_classes)
    recipe, seeds = recipe_named(recipe), tuple(seeds)
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds are {list(seeds)}; give at least one, without duplicates")
    plan = plan_architectures(architecture, splits, len(seeds), most_times_macs)
    all_variants = [Variant(WHOLE, "", architecture), *plan.variants]
    # Variant by variant, with n seeds each, so that runs[:n] are those of the whole network, the next n those of the
    # first variant, and so on. Without `on_diverged`, `train_runs` leaves none out.
    specs = [
        RunSpec(dataset, variant.architecture, recipe, seed, engine, variant.num_images, variant.name)
        for variant in all_variants
        for seed in seeds
    ]
    runs = train_runs(specs, splits, folder=folder, executor=executor, threads=threads, on_result=on_result)
    groups = [runs[start : start + len(seeds)] for start in range(0, len(runs), len(seeds))]
    whole_runs, variant_groups = groups[0], groups[1:]
    # For each group, (n, N): which test images each of its n runs misclassifies.
    wrong = [np.array([run.y_pred != splits.test.labels for run in group]) for group in groups]
    tests = [judge_variant(flags, wrong[0]) for flags in wrong[1:]]
    # All p-values at once, since the rule bounds the share of false positives among them.
    are_marked, marking = mark(np.array([p_value for _, p_value in tests]))
    results = [
        _summarize(variant, group, flags, whole_runs, test, is_marked)
        for variant, group, flags, test, is_marked in zip(
            plan.variants, variant_groups, wrong[1:], tests, are_marked.tolist(), strict=True
        )
    ]
    # The whole network is not compared with itself: no interval, and a p-value of 1.
    summary = _summarize(all_variants[0], whole_runs, wrong[0], whole_runs, (None, 1.0), is_marked=False)
    return ArchitectureAblation(
        architectures=(summary, *sorted(results, key=lambda result: result.difference)),
        architecture_runs=ArchitectureRuns(
            dataset_name=splits.name,
            split="test",
            architecture=architecture.name,
            recipe=recipe.name,
            seeds=seeds,
            num_images=len(splits.test),
            num_training_images=len(splits.train),
            false_discovery_rate=FALSE_DISCOVERY_RATE,
            marking=marking,
            left_out=plan.left_out,
        ),
    )


def judge_variant(wrong: Flags, wrong_of_whole: Flags) -> tuple[tuple[float, float] | None, float]:
    """Compare a variant's accuracy with the whole network's: the interval of the difference and its p-value.

    Both arguments are (n, N): which of N test images each of n runs misclassifies.
    """
    if len(wrong) == 1:  # one seed shows nothing about other seeds
        return None, 1.0
    difference = group_difference(wrong, wrong_of_whole)
    return difference.interval, difference.p_value


def _summarize(
    variant: Variant,
    runs: Sequence[RunResult],
    wrong: Flags,
    whole_runs: Sequence[RunResult],
    test: tuple[tuple[float, float] | None, float],
    is_marked: bool,
) -> VariantResult:
    """Collect the results of a variant.

    Args:
        wrong: (n, N), the test images that its runs misclassify.
        whole_runs: the runs of the unchanged network.
        test: the interval of the difference and its p-value, from `judge_variant`.
        is_marked: whether the difference is significant among all variants.
    """
    difference = mean(run.accuracy for run in runs) - mean(run.accuracy for run in whole_runs)
    verdict: Verdict = "no difference shown"
    if is_marked:
        verdict = "worse" if difference < 0 else "better"
    return from_attributes(
        VariantResult,
        runs[0],  # its parameters, multiply-adds and images are those of all runs
        name=variant.name,
        change=variant.change,
        accuracies=tuple(run.accuracy for run in runs),
        mean=mean(run.accuracy for run in runs),
        interval=group_accuracy_interval(wrong),
        seconds=mean(run.seconds for run in runs),
        difference=difference,
        difference_interval=test[0],
        p_value=test[1],
        verdict=verdict,
    )
