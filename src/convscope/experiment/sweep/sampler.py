"""Draw the values of trials by Optuna's samplers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np

from convscope.base.errors import ConvscopeError
from convscope.base.versions import install_command
from convscope.experiment.sweep.space import Dimension, Value

Search = Literal["random", "grid", "tpe"]
"""Draw values at random, in all combinations, or by earlier scores (tree-structured Parzen estimator)."""

SEARCHES: tuple[Search, ...] = get_args(Search)


class Sampler:
    """Draws the values of trials by Optuna, the same for the same arguments and scores."""

    def __init__(self, dimensions: Sequence[Dimension], search: Search, trials: int) -> None:
        try:
            import optuna
        except ImportError as error:
            raise ConvscopeError(f"a sweep needs Optuna; run {install_command('sweep')}") from error
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # it logs each trial otherwise
        self._optuna, self._dimensions, self._trials = optuna, dimensions, trials
        if search == "grid":
            if ranged := [dimension.name for dimension in dimensions if not dimension.values]:
                raise ConvscopeError(f"`vary` {ranged[0]}: a grid needs values, separated by commas, and no range")
            grid = {dimension.name: list(range(len(dimension.values))) for dimension in dimensions}
            # Indices of the values, see `_suggest`. Optuna draws combinations in random order, so fewer trials than
            # combinations are spread over the grid.
            sampler: Any = optuna.samplers.GridSampler(grid, seed=0)
            self._trials = min(trials, int(np.prod([len(dimension.values) for dimension in dimensions])))
        elif search == "tpe":
            sampler = optuna.samplers.TPESampler(seed=0)
        else:
            sampler = optuna.samplers.RandomSampler(seed=0)
        self._uses_scores = search == "tpe"  # a grid's study would end by an exception when it learns its last score
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._open = dict[int, Any]()  # trials without a score, by their number

    def batches(self, size: int) -> Iterator[dict[int, dict[str, Value]]]:
        """Yield the values of `size` trials at a time, by their numbers."""
        for start in range(0, self._trials, size):
            drawn = [self._draw() for _ in range(start, min(start + size, self._trials))]
            yield dict(drawn)

    def tell(self, scores: Mapping[int, float]) -> None:
        """Pass the scores of trials to Optuna; a score below 0 means that the trial failed.

        Args:
            scores: by the number of the trial. Those that were passed before are skipped, as Optuna takes each once.
        """
        if not self._uses_scores:
            return
        for number in list(self._open):
            if number in scores:
                trial, score = self._open.pop(number), scores[number]
                state = self._optuna.trial.TrialState.FAIL if score < 0 else None
                self._study.tell(trial, None if score < 0 else score, state=state)

    def _draw(self) -> tuple[int, dict[str, Value]]:
        trial = self._study.ask()
        self._open[trial.number] = trial
        return trial.number, {dimension.name: self._suggest(trial, dimension) for dimension in self._dimensions}

    def _suggest(self, trial: Any, dimension: Dimension) -> Value:
        if dimension.values:  # chosen by their indices: for Optuna, 1 and True would be the same value
            index: int = trial.suggest_categorical(dimension.name, list(range(len(dimension.values))))
            return dimension.values[index]
        if dimension.is_whole:
            return int(trial.suggest_int(dimension.name, int(dimension.low), int(dimension.high), log=dimension.is_log))
        return float(trial.suggest_float(dimension.name, dimension.low, dimension.high, log=dimension.is_log))
