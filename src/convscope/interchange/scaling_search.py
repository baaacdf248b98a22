"""Which scaling an imported network was trained with: the usual ones, tried on labelled training images.

A wrong scaling seldom breaks a network; many still classify nine images of ten. So the rule has to tell near scalings
apart, and to say so where it cannot. `find_scaling` states it.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from math import erfc, sqrt
from typing import Any

import numpy as np

from convscope.base.arguments import checked
from convscope.base.errors import InterchangeError
from convscope.base.metrics import confusion_matrix, cross_entropies, mcnemar_exact
from convscope.base.streams import random_stream
from convscope.data.datasets import Dataset, DatasetLike, as_dataset
from convscope.data.datasets.disk.images import blocks
from convscope.evidence.calibration import fit_temperature
from convscope.interchange.imported import Imported
from convscope.interchange.scaling import Scaling, ScalingRow, ScalingTable
from convscope.interchange.scaling_statistics import misfit

OnProgress = Callable[[int, int], None]
_FIRST, _MOST = 1000, 16_000  # images: for all scalings, and for those that are about as accurate as the best
_LEVEL = 0.001  # of each test
_OVERCONFIDENT, _PLAUSIBLE = 1.25, (0.2, 1.1)  # temperatures on images that the network was trained on
_FAR_TOO_SURE = 2.0  # such a temperature says that these images are other ones for the network
_CONVERGED = 0.7, 0.9  # the least temperature and accuracy on them
_ENOUGH_ERRORS = 20  # with fewer, a larger scale has a lower loss, whichever is the network's own
_FITS, _FITS_AS_WELL = 0.02, 0.01  # nats, of the statistics of a batch normalisation, and four times those of the best
_RELABELLINGS, _FEW_CLASSES = 10_000, 5
_IMAGENET = "mean and std of ImageNet"
_IMAGENET_NUMBERS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class UnclearScalingError(InterchangeError):
    """No scaling is clearly the one that a network was trained with; `table` says how near they are."""

    def __init__(self, name: str, table: ScalingTable) -> None:
        super().__init__(f"{name}: {table.sentence}; state it with `scaling`".removeprefix(": "))
        self.table = table


def with_scaling(
    found: Imported,
    scaling: Scaling | None = None,
    training: DatasetLike | None = None,
    name: str = "",
    on_progress: OnProgress | None = None,
) -> Imported:
    """Return the network for images as they are in the data set: scaled as stated, as its file says, or as is found.

    Args:
        name: of the file, for errors.
        on_progress: as `find_scaling` calls it.

    Raises:
        InterchangeError: if nothing says how its input is scaled, or `Imported.scaled` refuses what was stated.
        UnclearScalingError: if the images do not say it clearly.
        ValueError: if `scaling` or `training` do not fit the network.
    """
    if scaling is not None:
        try:
            return found.scaled(scaling)
        except InterchangeError as error:
            raise InterchangeError(f"{name}: {error}".removeprefix(": ")) from error
    if found.reads_bytes:
        return found
    if training is None:
        raise InterchangeError(
            f"{name}: does not say how a byte becomes the number that it reads; state it with `scaling`, for example "
            "1/255, or import it together with labelled images that it was trained on".removeprefix(": ")
        )
    table = find_scaling(found, training, on_progress)
    if table.best is None:
        raise UnclearScalingError(name, table)
    scaled = found.scaled(table.best)
    return replace(scaled, notes=(*scaled.notes, table.sentence), scalings=table)


@checked
def find_scaling(found: Imported, training: DatasetLike, on_progress: OnProgress | None = None) -> ScalingTable:
    """Return how a network answers labelled training images with each of the usual scalings, and which is its own.

    Tried are byte / 255, raw bytes, -1 to 1, the mean and standard deviation of the images and those of ImageNet, each
    also of inverted bytes, and of images with three channels each also in the order blue, green, red. Of scalings with
    the same logits the first is kept.

    1. With 1,000 images, and for what is left with 16,000 (or all), a scaling is out if it is less accurate than the
       best (McNemar's exact test, p < 0.001).
    2. A batch normalisation keeps the mean and the variance of what it was given in training. Where 1,000 images give
       the first one such numbers with some scaling (a divergence up to 0.02 nats, the mean over its channels), those
       with more than 0.01 nats and four times as many are out.
    3. Of several that are left, the loss decides. A scaling is out if the network is overconfident with it on images
       that it was trained on, which training prevents: the temperature that suits them is above 1.25. Of the others the
       one of the lowest loss is the best if its temperature is from 0.2 to 1.1, and the others' losses are higher
       (paired z test, p < 0.001). A network that has not converged has a lower loss if it becomes more confident, so
       one with less confidence is out only if the temperature of the best is 0.7 or more and its accuracy 90 %.
    4. The best must know the classes: none of 10,000 other assignments of the outputs to the classes, drawn at random,
       is as accurate. With five classes or fewer there are too few; then it must be right for half of what chance
       leaves.

    Otherwise it is unclear, and so is a single scaling that is left with a temperature above 2. On images of one
    channel, ImageNet's numbers (the mean of its three) are rare and nearly a multiple of -1 to 1; they count only where
    these rules find them the best and there are 20 errors or more.

    Args:
        training: images (N, H, W, C) uint8 with labels that mean what the outputs mean. They should be those that the
            network was trained on: on others it may be overconfident with its own scaling too.
        on_progress: called with how many images were answered so far and will be in all, which grows once.

    Raises:
        ValueError: if the images or the classes do not fit the network.
    """
    architecture = found.architecture
    labels = [str(label) for label in range(architecture.num_classes)]
    dataset = as_dataset(training, "training", labels, architecture.input.shape)
    if dataset.image_shape != architecture.input.shape or dataset.num_classes != architecture.num_classes:
        raise ValueError(
            f"training has images {dataset.image_shape} of {dataset.num_classes} classes; the network reads "
            f"{architecture.input.shape} and has {architecture.num_classes} outputs"
        )
    drawn = np.sort(random_stream(0, "scaling").permutation(len(dataset))[:_MOST])
    order = random_stream(1, "scaling").permutation(len(drawn))
    images = dataset.take(drawn)
    few = images.take(order[:_FIRST])
    candidates = _candidates(found, dataset)
    answered = _Answered(on_progress, len(candidates) * len(few))
    trials = _different([_Trial(name, scaling, found, few, answered) for name, scaling in candidates.items()])
    left = _as_accurate(trials)
    if not (fitting := _fitting(trials, left, found, few)):
        return _table(trials, left, is_contradicted=True)
    left = fitting
    if len(left) > 1 and len(images) > len(few):
        answered.total += len(left) * len(images)
        for trial in left:
            trial.answer(images, answered)
        left = _as_accurate(left)
    if len(left) > 1:
        usual, likeliest = [trial for trial in left if not trial.is_rare], _likeliest(left)
        is_clear = len(likeliest) == 1 and (not likeliest[0].is_rare or likeliest[0].errors >= _ENOUGH_ERRORS)
        left = likeliest if is_clear or not usual else _likeliest(usual)
    return _table(trials, left)


class _Answered:
    """Counts the images that were answered, and tells it."""

    def __init__(self, on_progress: OnProgress | None, total: int) -> None:
        self._on_progress, self._done, self.total = on_progress, 0, total

    def add(self, images: int) -> None:
        self._done += images
        if self._on_progress is not None:
            self._on_progress(self._done, self.total)


class _Trial:
    """A network with one scaling, and what it answers."""

    def __init__(self, name: str, scaling: Scaling, found: Imported, images: Dataset, answered: _Answered) -> None:
        self.name, self.scaling = name, scaling
        self.is_rare = name.startswith(_IMAGENET) and images.image_shape[2] != 3
        self._model = found.scaled(scaling).to_model()
        self.verdict = ""
        self.answer(images, answered)

    def answer(self, images: Dataset, answered: _Answered) -> None:
        """Classify `images`, and nothing of what was classified before counts any more."""
        self.labels = images.labels.astype(np.int64)
        logits = []
        for block in blocks(images.images):
            logits.append(self._model.logits(block))
            answered.add(len(block))
        self.logits = np.nan_to_num(np.concatenate(logits).astype(np.float64), nan=0.0, posinf=1e30, neginf=-1e30)
        self.is_right = self.logits.argmax(axis=1) == self.labels
        self.accuracy, self.errors = float(self.is_right.mean()), int((~self.is_right).sum())
        self.losses = cross_entropies(self.logits, self.labels)

    def temperature(self) -> float:
        """Return the temperature that suits the answers best; logits of any size are brought to that of 1 first."""
        size = float(self.logits.std()) or 1.0
        return fit_temperature(self.logits / size, self.labels) * size


def _candidates(found: Imported, dataset: Dataset) -> dict[str, Scaling]:
    """Return the scalings that are tried by their names, the commonest first."""
    channels = dataset.image_shape[2]
    mean, std = _mean_and_std(dataset)
    imagenet = _IMAGENET_NUMBERS if channels == 3 else tuple(sum(each) / 3 for each in _IMAGENET_NUMBERS)
    plain = {
        "byte / 255": Scaling(),
        "raw bytes": Scaling(1.0),
        "-1 to 1": Scaling(mean=0.5, std=0.5),
        "mean and std of the data": Scaling(mean=mean, std=std),
        _IMAGENET: Scaling(1 / 255, *imagenet),
    }
    candidates = {}
    for bgr, inverted in product((False, True), repeat=2):
        for name, scaling in plain.items():
            words = [name, *(["inverted"] if inverted else []), *(["BGR"] if bgr else [])]
            candidates[", ".join(words)] = replace(scaling, inverted=inverted, bgr=bgr)
    return {name: scaling for name, scaling in candidates.items() if not scaling.bgr or found.can_reorder}


def _mean_and_std(dataset: Dataset) -> tuple[Any, Any]:
    """Return mean and standard deviation of byte / 255 with four decimals, as people write them: of each channel."""
    counts = np.zeros((dataset.image_shape[2], 256))
    for block in blocks(dataset.images):
        for channel, row in enumerate(counts):
            row += np.bincount(block[..., channel].ravel(), minlength=256)
    shares, levels = counts / counts.sum(axis=1, keepdims=True), np.arange(256) / 255
    mean = shares @ levels
    std = np.sqrt(np.maximum(shares @ levels**2 - mean**2, 0))
    std = np.where(std < 0.0001, 1.0, std)  # a channel of one level
    each = tuple(map(float, mean.round(4))), tuple(map(float, std.round(4)))
    return each if len(mean) > 1 else (each[0][0], each[1][0])


def _different(trials: list[_Trial]) -> list[_Trial]:
    """Return the trials without those that answer as an earlier one does."""
    kept: list[_Trial] = []
    for trial in trials:
        if not any(np.allclose(trial.logits, other.logits, 1e-4, 1e-4 * np.abs(other.logits).max()) for other in kept):
            kept.append(trial)
    return kept


def _as_accurate(trials: list[_Trial]) -> list[_Trial]:
    """Return the most accurate trial and those that are not clearly less accurate."""
    best = max(trials, key=lambda trial: (trial.accuracy, -trial.losses.mean()))
    left = []
    for trial in trials:
        p_value = mcnemar_exact(
            int(np.sum(best.is_right & ~trial.is_right)), int(np.sum(trial.is_right & ~best.is_right))
        )
        if trial is best or p_value >= _LEVEL:
            left.append(trial)
        else:
            trial.verdict = f"less accurate, {_p(p_value)}"
    return left


def _fitting(trials: list[_Trial], left: list[_Trial], found: Imported, images: Dataset) -> list[_Trial]:
    """Return of the trials that are left those which fit the statistics of the network, if some trial does."""
    misfits = {trial.name: misfit(found, trial.scaling, images) for trial in trials}
    known = [nats for nats in misfits.values() if nats is not None]
    if not known or min(known) > _FITS:
        return left
    for trial in trials:
        nats = misfits[trial.name]
        if nats is not None and nats > max(_FITS_AS_WELL, 4 * min(known)):
            trial.verdict = trial.verdict or f"other statistics, {nats:.2g} nats"
            left = [other for other in left if other is not trial]
    return left


def _likeliest(trials: list[_Trial]) -> list[_Trial]:
    """Return of trials that are as accurate those whose probabilities may be the network's own, the likeliest first."""
    temperatures = {trial.name: trial.temperature() for trial in trials}
    trials = sorted(trials, key=lambda trial: float(trial.losses.mean()))
    best = next((trial for trial in trials if temperatures[trial.name] <= _OVERCONFIDENT), None)
    if best is None or not _PLAUSIBLE[0] <= temperatures[best.name] <= _PLAUSIBLE[1]:
        return trials
    has_converged = temperatures[best.name] >= _CONVERGED[0] and best.accuracy >= _CONVERGED[1]
    left = [best]
    for trial in trials:
        differences = trial.losses - best.losses
        error = float(differences.std()) / sqrt(len(differences))
        p_value = erfc(float(differences.mean()) / error / sqrt(2)) if error else 1.0
        is_more_confident = temperatures[trial.name] >= temperatures[best.name]
        if temperatures[trial.name] > _OVERCONFIDENT:
            trial.verdict = f"overconfident, temperature {temperatures[trial.name]:.3g}"
        elif trial is not best and p_value < _LEVEL and (is_more_confident or has_converged):
            trial.verdict = f"higher loss, {_p(p_value)}"
        elif trial is not best:
            left.append(trial)
    return left


def _knows_classes(trial: _Trial) -> bool:
    """Return whether the outputs mean the classes, and would not answer as well with other names."""
    num_classes = trial.logits.shape[1]
    matrix = confusion_matrix(trial.labels, trial.logits.argmax(axis=1), num_classes)
    chance = float(matrix.sum(axis=1).max() / matrix.sum())
    if num_classes <= _FEW_CLASSES:
        return trial.accuracy - chance >= (1 - chance) / 2
    stream, classes, right = random_stream(2, "scaling"), np.arange(num_classes), np.trace(matrix)
    orders = (stream.permutation(num_classes) for _ in range(_RELABELLINGS))
    return not any((order != classes).any() and matrix[classes, order].sum() >= right for order in orders)


def _table(trials: list[_Trial], left: list[_Trial], is_contradicted: bool = False) -> ScalingTable:
    """Return the table where `left` may be the network's own, the likeliest first."""
    best = left[0]
    right = f"{100 * best.accuracy:.2f} % of {len(best.labels):,} training images"
    knows, is_far_too_sure = _knows_classes(best), len(left) == 1 and best.temperature() > _FAR_TOO_SURE
    if not knows:
        sentence = (
            f"its scaling is unclear: with none of {len(trials)} it classifies more than {right} correctly, and its "
            "outputs would fit other classes as well; it may be untrained, or trained on other classes or images"
        )
    elif is_contradicted:
        sentence = (
            f"its scaling is unclear: with {best.name} {right} are classified correctly, more than otherwise, but they "
            "have other statistics than its batch normalisation was trained on; were these its training images?"
        )
    elif is_far_too_sure:
        sentence = (
            f"its scaling is unclear: with {best.name} {right} are classified correctly, more than otherwise, but it "
            f"is far more confident than that (temperature {best.temperature():.3g}); were these its training images?"
        )
    elif len(left) > 1:
        names = " and ".join(trial.name for trial in left)
        sentence = f"its scaling is unclear: {names} are about as good on {len(best.labels):,} training images"
    else:
        sentence = f"its scaling is {best.name}, of {len(trials)} that were tried: {right} are classified correctly"
    is_clear = knows and len(left) == 1 and not is_far_too_sure and not is_contradicted
    for trial in left:
        trial.verdict = "best" if is_clear else "unclear"
    for trial in trials:
        trial.verdict = trial.verdict or "rare, and not clearly better"
    rows = (
        ScalingRow(
            trial.name, trial.scaling, len(trial.labels), trial.accuracy, float(trial.losses.mean()), trial.verdict
        )
        for trial in sorted(trials, key=lambda trial: (trial not in left, -trial.accuracy))
    )
    return ScalingTable(tuple(rows), best.scaling if is_clear else None, sentence)


def _p(p_value: float) -> str:
    return f"p = {p_value:.1g}" if p_value >= 1e-6 else "p < 1e-6"
