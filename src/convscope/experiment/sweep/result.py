"""The result of a sweep: its trials, the comparison of the best with the default, and a conclusion in words."""

from dataclasses import dataclass, field
from textwrap import fill

from convscope.architecture import Architecture
from convscope.base.records import Recorded, from_attributes
from convscope.base.tables import percent, printable, text_table, value_text
from convscope.base.versions import FORMAT, own_version
from convscope.evidence.calibration.intervals import Estimate
from convscope.evidence.comparison import words
from convscope.experiment.records import DivergedRun
from convscope.experiment.sweep.records import FreshRuns, SweepRecord, Trial
from convscope.recipes import Recipe

_MAX_LISTED = 20  # trials, contenders and diverged runs that the terminal lists of each


@dataclass(frozen=True, eq=False)
class Sweep(Recorded):
    """The result of a sweep.

    Attributes:
        trials: the best one first by the choosing images.
        num_choice, num_check: the numbers of choosing and checking images.
        chance: the share of the most frequent class among the choosing images. A trial with no higher accuracy has
            learned nothing.
        architecture, recipe: those of the best trial.
        best: further seeds of the best trial, on the checking images; None if all of them diverged.
        default: the same seeds of the original network and recipe, on the same images; None if all of them diverged, or
            the best trial changes nothing.
        difference: the mean accuracy of `best` minus that of `default`, as in `compare_groups`, with `p_value`.
        contenders: the numbers of the trials that may be as good as the best by the choosing images, the best first.
        diverged: the runs that gave no model; their `name` is that of the trial, such as "trial 3".
    """

    dataset_name: str
    trials: tuple[Trial, ...] = field(repr=False)
    num_choice: int
    num_check: int
    chance: float
    architecture: Architecture
    recipe: Recipe
    best: FreshRuns | None
    default: FreshRuns | None
    difference: Estimate | None
    p_value: float | None
    contenders: tuple[int, ...]
    diverged: tuple[DivergedRun, ...] = field(repr=False)

    @property
    def best_trial(self) -> Trial:
        """The trial with the best result on the choosing images."""
        return self.trials[0]

    @property
    def conclusion(self) -> str:
        """The comparison of the best trial with the default, and the trials that may be as good, in words."""
        best, default = self.best, self.default
        # Up to two sentences: further seeds of the best trial, and the other contenders.
        #
        #     5 other seeds of trial 3 classify 98.10 % of 5,000 other held-out images correctly (95 % interval ...),
        #     those of the default 97.60 %: [the difference] ([its p-value], over seeds and images).
        #     Trials 7, 2 may be as good: on the images that chose it the lead may be chance.
        if best is None:
            text = f"Other seeds of trial {self.best_trial.number} diverged."
        else:
            text = (
                f"{words.format_count(len(best.seeds), 'other seed')} of trial {self.best_trial.number} "
                f"{'classifies' if len(best.seeds) == 1 else 'classify'} {100 * best.accuracy:.2f} % of "
                f"{self.num_check:,} other held-out images correctly (95 % interval {_format_interval(best.interval)})"
            )
            if default is not None and self.difference is not None and self.p_value is not None:
                change = words.format_difference(self.difference.value, self.difference.interval)
                text += (
                    f", those of the default {100 * default.accuracy:.2f} %: {change} "
                    f"({words.format_p_value(self.p_value)}, over seeds and images)"
                )
            text += "."
        if others := self.contenders[1:]:
            listed = ", ".join(map(str, others[:_MAX_LISTED])) + (" and more" if len(others) > _MAX_LISTED else "")
            trials = "Trial" if len(others) == 1 else "Trials"
            text += f" {trials} {listed} may be as good: on the images that chose it the lead may be chance."
        return text

    def to_record(self) -> SweepRecord:
        plain = {"architecture": self.architecture.to_dict(), "recipe": self.recipe.to_dict()}
        return from_attributes(
            SweepRecord, self, format=FORMAT, version=own_version(), dataset=self.dataset_name, **plain
        )

    def __str__(self) -> str:
        names = list(self.best_trial.values)
        rows = [
            (
                f"{trial.number}",
                *(value_text(trial.values[name]) for name in names),
                trial.format_choice(self.chance, percent),
                f"{trial.parameters:,}",
                f"{trial.seconds:.2f}",
            )
            for trial in self.trials[:_MAX_LISTED]
        ]
        header = ("Trial", *names, "Accuracy", "Parameters", "Seconds")
        lines = [
            f"{len(self.trials):,} trials on {self.dataset_name}, judged by {self.num_choice:,} held-out images",
            text_table(header, rows, left=0),
            fill(self.conclusion, 100),
        ]
        if self.diverged:
            # A reason may contain the text of a library, so it is made printable.
            shown = [f"{run.name}, seed {run.seed}: {run.reason}" for run in self.diverged[:_MAX_LISTED]]
            num_hidden = len(self.diverged) - len(shown)
            shown += [f"{num_hidden:,} more diverged"] if num_hidden else []
            lines.append("\n".join(map(printable, shown)))
        return "\n\n".join(lines)


def _format_interval(interval: tuple[float, float]) -> str:
    return f"{100 * interval[0]:.2f} to {100 * interval[1]:.2f} %"
