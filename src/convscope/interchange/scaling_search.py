"""Which scaling an imported network was trained with: the usual ones, tried on labelled training images.

A wrong scaling seldom breaks a network; many still classify nine images of ten. So the rule has to tell near scalings
apart, and to say so where it cannot. `find_scaling` states it.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations, product
from math import erfc, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
_LESS_ACCURATE, _HIGHER_LOSS = 1e-6, 0.001  # levels of the tests
_MUCH_LOWER, _ABOUT_AS_HIGH = 2 / 3, 0.9  # losses over those with a smaller scale
_FAR_TOO_UNSURE, _FAR_TOO_SURE = 0.1, 2.0  # temperatures that no training leaves on its own images
_ONE_OF = 100  # labels is changed where a temperature is fitted for a comparison of losses
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
    imported: Imported,
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
            return imported.scaled(scaling)
        except InterchangeError as error:
            raise InterchangeError(f"{name}: {error}".removeprefix(": ")) from error
    if imported.reads_bytes:
        return imported
    if training is None:
        raise InterchangeError(
            f"{name}: does not say how a byte becomes the number that it reads; state it with `scaling`, for example "
            "1/255, or import it together with labelled images that it was trained on".removeprefix(": ")
        )
    table = find_scaling(imported, training, on_progress)
    if table.best is None:
        raise UnclearScalingError(name, table)
    scaled = imported.scaled(table.best)
    return replace(scaled, notes=(*scaled.notes, table.sentence), scalings=table)


@checked
def find_scaling(imported: Imported, training: DatasetLike, on_progress: OnProgress | None = None) -> ScalingTable:
    """Return how a network answers labelled training images with each of the usual scalings, and which is its own.

    Tried are byte / 255, raw bytes, -1 to 1, the mean and standard deviation of the images and those of ImageNet, each
    also of inverted bytes, and of images with three channels each also in the order blue, green, red. Of scalings with
    the same logits the first is kept.

    1. With 1,000 images, and for what is left with 16,000 (or all), a scaling is out if it is less accurate than the
       best (McNemar's exact test, p < 1e-6).
    2. A batch normalisation keeps the mean and the variance of what it was given in training. Where 1,000 images give
       the first one such numbers with some scaling (a divergence up to 0.02 nats, the mean over its channels), those
       with more than 0.01 nats and four times as many are out.
    3. Of two that are left, the one with the higher loss is out (paired z test, p < 0.001). Each loss is measured at
       the temperature that would suit the answers if one label in a hundred were another. So it does not count how
       confident the network is, which depends on how it was trained, and where there are hardly any errors, all images
       count by how far they are from one.
    4. A network that was trained for a short time has a somewhat lower loss with any larger scale. If the larger scale
       is its own, its loss as it is, with its confidence, is much lower than with the smaller, by a third or more.
       Otherwise the smaller scale is never out, and the larger one is, unless its loss in the sense of 3 is 10 % lower
       or the temperature that suits the answers with the smaller is below 0.1.
    5. The best must know the classes: none of 10,000 other assignments of the outputs to the classes, drawn at random,
       is as accurate. With five classes or fewer there are too few; then it must be right for half of what chance
       leaves.

    Otherwise it is unclear, and so is a single scaling that is left with a temperature above 2.

    Args:
        training: images (N, H, W, C) uint8 with labels that mean what the outputs mean. They should be those that the
            network was trained on: on others it may be overconfident with its own scaling too.
        on_progress: called with how many images were answered so far and will be in all, which grows once.

    Raises:
        ValueError: if the images or the classes do not fit the network.
    """
    architecture = imported.architecture
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
    candidates = _candidates(dataset)
    answered = _Answered(on_progress, len(candidates) * len(few))
    trials = _different([_Trial(name, scaling, imported, few, answered) for name, scaling in candidates.items()])
    left = _as_accurate(trials)
    if not (fitting := _fitting(trials, left, imported, few)):
        return _table(trials, left, is_contradicted=True)
    left = fitting
    if len(left) > 1 and len(images) > len(few):
        answered.total += len(left) * len(images)
        for trial in left:
            trial.answer(images, answered)
        left = _as_accurate(left)
    return _table(trials, _likeliest(left))


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

    def __init__(self, name: str, scaling: Scaling, imported: Imported, images: Dataset, answered: _Answered) -> None:
        self.name, self.scaling = name, scaling
        self.scale = float(np.abs(scaling.numbers(images.image_shape[2])[0]).mean())
        self._model = imported.scaled(scaling).to_model()
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

    @property
    def temperature(self) -> float:
        """The temperature that suits the answers best."""
        return self._fit_temperature(self.labels)

    def softened_losses(self) -> NDArray[np.float64]:
        """Return (N,), the losses at the temperature that would suit the answers if some labels were others."""
        stream, labels, num_classes = random_stream(3, "scaling"), self.labels.copy(), self.logits.shape[1]
        some = stream.permutation(len(labels))[::_ONE_OF]
        labels[some] = (labels[some] + stream.integers(1, num_classes, len(some))) % num_classes
        return cross_entropies(self.logits / self._fit_temperature(labels), self.labels)

    def _fit_temperature(self, labels: NDArray[np.int64]) -> float:
        """Return the temperature that makes labels likeliest; logits of any size are brought to that of 1 first."""
        size = float(self.logits.std()) or 1.0
        return fit_temperature(self.logits / size, labels) * size


def _candidates(dataset: Dataset) -> dict[str, Scaling]:
    """Return the scalings that are tried by their names, the commonest first."""
    channels = dataset.image_shape[2]
    mean, std = _mean_and_std(dataset)
    imagenet = _IMAGENET_NUMBERS if channels == 3 else tuple(sum(number) / 3 for number in _IMAGENET_NUMBERS)
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
    return {name: scaling for name, scaling in candidates.items() if not scaling.bgr or channels == 3}


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
    rounded = tuple(map(float, mean.round(4))), tuple(map(float, std.round(4)))
    return rounded if len(mean) > 1 else (rounded[0][0], rounded[1][0])


def _different(trials: list[_Trial]) -> list[_Trial]:
    """Return the trials without those that answer as an earlier one does."""
    kept: list[_Trial] = []
    for trial in trials:
        if not any(np.allclose(trial.logits, same.logits, 1e-4, 1e-4 * np.abs(same.logits).max()) for same in kept):
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
        if trial is best or p_value >= _LESS_ACCURATE:
            left.append(trial)
        else:
            trial.verdict = f"less accurate, {_p(p_value)}"
    return left


def _fitting(trials: list[_Trial], left: list[_Trial], imported: Imported, images: Dataset) -> list[_Trial]:
    """Return of the trials that are left those which fit the statistics of the network, if some trial does."""
    misfits = {trial.name: misfit(imported, trial.scaling, images) for trial in trials}
    known = [nats for nats in misfits.values() if nats is not None]
    if not known or min(known) > _FITS:
        return left
    for trial in trials:
        nats = misfits[trial.name]
        if nats is not None and nats > max(_FITS_AS_WELL, 4 * min(known)):
            trial.verdict = trial.verdict or f"other statistics, {nats:.2g} nats"
            left = [candidate for candidate in left if candidate is not trial]
    return left


def _likeliest(trials: list[_Trial]) -> list[_Trial]:
    """Return the trials that no other rules out by its losses, or all if each is ruled out."""
    if len(trials) == 1:
        return trials
    softened = [trial.softened_losses() for trial in trials]
    for (trial, losses), (rival, rival_losses) in permutations(zip(trials, softened, strict=True), 2):
        trial.verdict = trial.verdict or _rule_out(trial, losses, rival, rival_losses)
    left = [trial for trial in trials if not trial.verdict] or trials
    return sorted(left, key=lambda trial: float(trial.losses.mean()))


def _rule_out(trial: _Trial, losses: NDArray[np.float64], rival: _Trial, rival_losses: NDArray[np.float64]) -> str:
    """Return why `other` rules `trial` out, where it does; `losses` and `others` are their softened ones."""
    differences = losses - rival_losses
    error = float(differences.std()) / sqrt(len(differences))
    p_value = erfc(float(differences.mean()) / error / sqrt(2)) if error else 1.0
    is_larger = trial.scale > rival.scale
    smaller, larger = (rival, trial) if is_larger else (trial, rival)
    pays = smaller.scale == larger.scale or larger.losses.mean() < _MUCH_LOWER * smaller.losses.mean()
    if p_value < _HIGHER_LOSS and (is_larger or pays):
        return f"higher loss, {_p(p_value)}"
    is_plain = smaller.temperature > _FAR_TOO_UNSURE and losses.mean() > _ABOUT_AS_HIGH * rival_losses.mean()
    return "larger scale, and no much lower loss" if is_larger and not pays and is_plain else ""


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
    knows, is_far_too_sure = _knows_classes(best), len(left) == 1 and best.temperature > _FAR_TOO_SURE
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
            f"is far more confident than that (temperature {best.temperature:.3g}); were these its training images?"
        )
    elif len(left) > 1:
        names = " and ".join(trial.name for trial in left)
        sentence = f"its scaling is unclear: {names} are about as good on {len(best.labels):,} training images"
    else:
        sentence = f"its scaling is {best.name}, of {len(trials)} that were tried: {right} are classified correctly"
    is_clear = knows and len(left) == 1 and not is_far_too_sure and not is_contradicted
    for trial in left:
        trial.verdict = "best" if is_clear else "unclear"
    rows = (
        ScalingRow(
            trial.name, trial.scaling, len(trial.labels), trial.accuracy, float(trial.losses.mean()), trial.verdict
        )
        for trial in sorted(trials, key=lambda trial: (trial not in left, -trial.accuracy))
    )
    return ScalingTable(tuple(rows), best.scaling if is_clear else None, sentence)


def _p(p_value: float) -> str:
    return f"p = {p_value:.1g}" if p_value >= 1e-6 else "p < 1e-6"
