"""Find the scaling that an imported network was trained with, by trying the usual ones on labelled training images.

A wrong scaling seldom breaks a network: many still classify nine images of ten. So the rule, which `find_scaling`
states, must tell similar scalings apart, and say so if it cannot.
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
from convscope.interchange.scaling_statistics import measure_misfit

OnProgress = Callable[[int, int], None]
_SCREENING_IMAGES = 1_000  # images on which all scalings are measured
_FINAL_IMAGES = 16_000  # images for scalings about as accurate as the best

# Limits of the five rules that `find_scaling` states, measured on networks whose scaling was known.
# Rule 1, accuracy: with p < 0.001, a network that was trained too briefly lost its own scaling.
_ACCURACY_LEVEL = 1e-6
# Rule 2, statistics: the divergence was up to 0.007 nats with the own scaling, and from 0.0044 with the most similar.
_FITTING_NATS, _RULED_OUT_NATS = 0.02, 0.01
# Rule 3, loss. Without any wrong label, the temperature of a network that makes no errors would be fitted to 0.
_LOSS_LEVEL = 0.001
_IMAGES_PER_WRONG_LABEL = 100
# Rule 4, scale: a larger scale lowers the loss of any network that was trained too briefly, by up to 6 %. A network's
# own larger scale lowers it to less than half.
_MUCH_LOWER_LOSS, _SIMILAR_LOSS = 2 / 3, 0.9
# Rule 4 and the end: the temperature was 0.2 to 1.25 with a network's own scaling, and 0.1 to 250 with wrong ones.
_TEMPERATURE_UNDERFITTED, _TEMPERATURE_OVERCONFIDENT = 0.1, 2.0
# Rule 5, classes: 5! = 120 assignments of outputs to classes are too few for a test.
_RELABELLINGS, _MAX_FEW_CLASSES = 10_000, 5
_IMAGENET_NUMBERS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class UnclearScalingError(InterchangeError):
    """No scaling is clearly the one that a network was trained with; `table` lists all that were tried."""

    def __init__(self, name: str, table: ScalingTable) -> None:
        step = "; state it with `scaling`" if table.sentence.startswith("its scaling") else ", or state its `scaling`"
        super().__init__(f"{name}: {table.sentence}{step}".removeprefix(": "))
        self.table = table


def with_scaling(
    imported: Imported,
    scaling: Scaling | None = None,
    training: DatasetLike | None = None,
    name: str = "",
    on_progress: OnProgress | None = None,
) -> Imported:
    """Make a network read bytes: with the stated scaling, with that of its file, or with the one that images show.

    Args:
        name: the name of the file, for errors.
        on_progress: as `find_scaling` calls it.

    Raises:
        InterchangeError: if the scaling is unknown, or `Imported.apply_scaling` refuses the stated one.
        UnclearScalingError: if several scalings suit the images about equally well.
        ValueError: if `scaling` or `training` do not fit the network.
    """
    if scaling is not None:
        try:
            return imported.apply_scaling(scaling)
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
    scaled = imported.apply_scaling(table.best)
    return replace(scaled, notes=(*scaled.notes, table.sentence), scalings=table)


@checked
def find_scaling(imported: Imported, training: DatasetLike, on_progress: OnProgress | None = None) -> ScalingTable:
    """Try the usual scalings on labelled training images, and find the one that the network was trained with.

    The candidates are byte / 255, raw bytes, -1 to 1, the mean and standard deviation of the images, and those of
    ImageNet. Each is tried with inverted bytes too and, if images have three channels, in the order blue, green, red
    too. Of several candidates with the same logits, the first is kept. Then candidates are ruled out:

    1. Accuracy. A candidate is ruled out if it is less accurate than the best one (McNemar's exact test, p < 1e-6), on
       1,000 images, and then once more on 16,000 (or all).
    2. Batch normalisation. The first one keeps the mean and the variance of its input in training. If 1,000 images
       reproduce them with some candidate (mean divergence of the channels at most 0.02 nats), candidates are ruled out
       whose divergence is above 0.01 nats and above four times the smallest.
    3. Loss. Of two candidates, the one with the higher loss is ruled out (paired z test, p < 0.001). Losses are
       compared at a fitted temperature, because confidence depends on how long a network was trained. The temperature
       is fitted to labels of which one in a hundred is wrong, so that it stays above 0 for a network without errors.
    4. Scale. A network that was trained for a short time has a somewhat lower loss with any larger scale. So a larger
       scale rules out a smaller one only if it lowers the loss without a fitted temperature by a third or more.
       Otherwise the larger one is ruled out, unless its loss as in 3 is lower by 10 %, or the temperature fitted to the
       smaller one is below 0.1.
    5. Classes. The best candidate must be more accurate than 10,000 random assignments of the outputs to the classes.
       Five classes or fewer have too few assignments: there its accuracy must exceed the share of the most frequent
       class by half of the rest.

    The scaling is unclear if several candidates remain, or a single one with a temperature above 2.

    Args:
        training: images (N, H, W, C) uint8 with labels that mean what the outputs mean. They should be those that the
            network was trained on: on others it may be overconfident with its own scaling too.
        on_progress: called with the number of images classified so far, and in all; this total grows once.

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
    # All candidates classify `sample`, 1,000 of the `images`; those that remain classify all, 16,000. The indices are
    # sorted, so that images on disk are read in one pass, and shuffled again for the sample.
    indices = np.sort(random_stream(0, "scaling").permutation(len(dataset))[:_FINAL_IMAGES])
    order = random_stream(1, "scaling").permutation(len(indices))
    images = dataset.take(indices)
    sample = images.take(order[:_SCREENING_IMAGES])
    candidates = _list_candidates(dataset)
    progress = _ProgressCounter(on_progress, len(candidates) * len(sample))
    trials = _drop_equal([_Trial(name, scaling, imported, sample, progress) for name, scaling in candidates.items()])
    remaining = _keep_accurate(trials)  # rule 1
    # Rule 2. Nothing remains if the batch normalisation fits only candidates that rule 1 has ruled out.
    if not (fitting := _keep_fitting(trials, remaining, imported, sample)):
        return _make_table(trials, sorted(remaining, key=lambda trial: -trial.accuracy), is_contradicted=True)
    remaining = fitting
    if len(remaining) > 1 and len(images) > len(sample):
        progress.total += len(remaining) * len(images)
        for trial in remaining:
            trial.classify(images, progress)
        remaining = _keep_accurate(remaining)  # rule 1 once more
    # Rules 3 and 4; the table applies rule 5.
    return _make_table(trials, _keep_likeliest(remaining))


class _ProgressCounter:
    """Counts the classified images and reports the count."""

    def __init__(self, on_progress: OnProgress | None, total: int) -> None:
        self._on_progress, self._done, self.total = on_progress, 0, total

    def add(self, images: int) -> None:
        self._done += images
        if self._on_progress is not None:
            self._on_progress(self._done, self.total)


class _Trial:
    """A network with one candidate for its scaling, and its logits.

    Attributes:
        scale: the size of the factor of a byte, the mean over the channels.
        verdict: why the candidate is ruled out; "" if it is not.
        losses: the cross-entropy of each image.
    """

    def __init__(
        self, name: str, scaling: Scaling, imported: Imported, images: Dataset, progress: _ProgressCounter
    ) -> None:
        self.name, self.scaling = name, scaling
        self.scale = float(np.abs(scaling.numbers(images.image_shape[2])[0]).mean())
        self._model = imported.apply_scaling(scaling).to_model()
        self.verdict = ""
        self.classify(images, progress)

    def classify(self, images: Dataset, progress: _ProgressCounter) -> None:
        """Classify `images`, whose logits replace those of earlier images."""
        self.labels = images.labels.astype(np.int64)
        logits = []
        for block in blocks(images.images):
            logits.append(self._model.logits(block))
            progress.add(len(block))
        # A wrong scaling may overflow. With finite numbers, its losses are only large.
        self.logits = np.nan_to_num(np.concatenate(logits).astype(np.float64), nan=0.0, posinf=1e30, neginf=-1e30)
        self.is_correct = self.logits.argmax(axis=1) == self.labels
        self.accuracy = float(self.is_correct.mean())
        self.losses = cross_entropies(self.logits, self.labels)

    @property
    def temperature(self) -> float:
        """The temperature at which the logits suit the labels best."""
        return self._fit_temperature(self.labels)

    def soften_losses(self) -> NDArray[np.float64]:
        """Compute the losses (N,) of the logits divided by a temperature, so that confidence no longer counts.

        The temperature is fitted with one label in a hundred made wrong; the losses are those of the true labels.
        """
        stream, labels, num_classes = random_stream(3, "scaling"), self.labels.copy(), self.logits.shape[1]
        changed = stream.permutation(len(labels))[::_IMAGES_PER_WRONG_LABEL]
        # A wrong label is the class some steps further on: of 10 classes, 7 and 5 steps make 2.
        labels[changed] = (labels[changed] + stream.integers(1, num_classes, len(changed))) % num_classes
        return cross_entropies(self.logits / self._fit_temperature(labels), self.labels)

    def _fit_temperature(self, labels: NDArray[np.int64]) -> float:
        """Fit the temperature at which `labels` are most likely."""
        # `fit_temperature` searches a fixed range. Logits of any size, as wrong scalings give them, are divided by
        # their size to get into it, and the temperature is multiplied by that again.
        size = float(self.logits.std()) or 1.0
        return fit_temperature(self.logits / size, labels) * size


def _list_candidates(dataset: Dataset) -> dict[str, Scaling]:
    """List the scalings to try by their names, the most common first."""
    channels = dataset.image_shape[2]
    mean, std = _measure_mean_and_std(dataset)
    imagenet = _IMAGENET_NUMBERS if channels == 3 else tuple(sum(number) / 3 for number in _IMAGENET_NUMBERS)
    plain = {
        "byte / 255": Scaling(),
        "raw bytes": Scaling(1.0),
        "-1 to 1": Scaling(mean=0.5, std=0.5),
        "mean and std of the data": Scaling(mean=mean, std=std),
        "mean and std of ImageNet": Scaling(1 / 255, *imagenet),
    }
    candidates = {}
    for bgr, inverted in product((False, True), repeat=2):
        for name, scaling in plain.items():
            words = [name, *(["inverted"] if inverted else []), *(["BGR"] if bgr else [])]
            candidates[", ".join(words)] = replace(scaling, inverted=inverted, bgr=bgr)
    return {name: scaling for name, scaling in candidates.items() if not scaling.bgr or channels == 3}


def _measure_mean_and_std(dataset: Dataset) -> tuple[Any, Any]:
    """Measure mean and standard deviation of byte / 255 in each channel, to four decimals as people write them."""
    counts = np.zeros((dataset.image_shape[2], 256))  # a histogram gives exact sums, in one pass over images on disk
    for block in blocks(dataset.images):
        for channel, row in enumerate(counts):
            row += np.bincount(block[..., channel].ravel(), minlength=256)
    shares, levels = counts / counts.sum(axis=1, keepdims=True), np.arange(256) / 255
    mean = shares @ levels
    std = np.sqrt(np.maximum(shares @ levels**2 - mean**2, 0))  # √(E[x²] - E[x]²), which rounding may make negative
    std = np.where(std < 0.0001, 1.0, std)  # a channel of one level
    rounded = tuple(map(float, mean.round(4))), tuple(map(float, std.round(4)))
    return rounded if len(mean) > 1 else (rounded[0][0], rounded[1][0])


def _drop_equal(trials: list[_Trial]) -> list[_Trial]:
    """Drop the trials that have the same logits as an earlier one."""
    kept: list[_Trial] = []
    for trial in trials:
        if not any(np.allclose(trial.logits, same.logits, 1e-4, 1e-4 * np.abs(same.logits).max()) for same in kept):
            kept.append(trial)
    return kept


def _keep_accurate(trials: list[_Trial]) -> list[_Trial]:
    """Keep the most accurate trial and those that are not clearly less accurate."""
    best = max(trials, key=lambda trial: (trial.accuracy, -trial.losses.mean()))
    remaining = []
    for trial in trials:
        # The images that one of the two classifies correctly and the other does not.
        p_value = mcnemar_exact(
            int(np.sum(best.is_correct & ~trial.is_correct)), int(np.sum(trial.is_correct & ~best.is_correct))
        )
        if trial is best or p_value >= _ACCURACY_LEVEL:
            remaining.append(trial)
        else:
            trial.verdict = f"less accurate, {_format_p(p_value)}"
    return remaining


def _keep_fitting(trials: list[_Trial], remaining: list[_Trial], imported: Imported, images: Dataset) -> list[_Trial]:
    """Keep those of the remaining trials that fit the network's batch normalisation, by rule 2 of `find_scaling`.

    All are kept if none of `trials` fits, those that were ruled out before included.
    """
    misfits = {trial.name: measure_misfit(imported, trial.scaling, images) for trial in trials}
    measured = [nats for nats in misfits.values() if nats is not None]  # none without a batch normalisation
    if not measured or min(measured) > _FITTING_NATS:
        return remaining
    for trial in trials:
        nats = misfits[trial.name]
        if nats is not None and nats > max(_RULED_OUT_NATS, 4 * min(measured)):
            trial.verdict = trial.verdict or f"other statistics, {nats:.2g} nats"
            remaining = [candidate for candidate in remaining if candidate is not trial]
    return remaining


def _keep_likeliest(trials: list[_Trial]) -> list[_Trial]:
    """Keep the trials that no rival rules out by its losses, or all if each is ruled out."""
    if len(trials) == 1:
        return trials
    softened = [trial.soften_losses() for trial in trials]
    for (trial, losses), (rival, rival_losses) in permutations(zip(trials, softened, strict=True), 2):
        trial.verdict = trial.verdict or _rule_out(trial, losses, rival, rival_losses)
    remaining = [trial for trial in trials if not trial.verdict] or trials
    return sorted(remaining, key=lambda trial: float(trial.losses.mean()))


def _rule_out(trial: _Trial, losses: NDArray[np.float64], rival: _Trial, rival_losses: NDArray[np.float64]) -> str:
    """Say why `rival` rules out `trial`, by their softened losses and rules 3 and 4; "" if it does not.

    Scales are comparable if they are equal, or if the larger one lowers the unsoftened loss by a third. `trial` is out:

        scales of both        if it has the larger one                         if it has the smaller one
        comparable            if its loss is higher                            if its loss is higher
        not comparable        if its loss is higher, or not lower by 10 % *    never

    * Not if the rival's temperature is tiny: its logits are far too small, so its scale is no likely one either.
    """
    p_value = _test_higher_loss(losses, rival_losses)
    is_larger = trial.scale > rival.scale
    smaller, larger = (rival, trial) if is_larger else (trial, rival)
    has_much_lower_loss = larger.losses.mean() < _MUCH_LOWER_LOSS * smaller.losses.mean()
    is_comparable = smaller.scale == larger.scale or has_much_lower_loss
    if p_value < _LOSS_LEVEL and (is_larger or is_comparable):
        return f"higher loss, {_format_p(p_value)}"
    is_similar = smaller.temperature > _TEMPERATURE_UNDERFITTED and losses.mean() > _SIMILAR_LOSS * rival_losses.mean()
    return "larger scale, and no much lower loss" if is_larger and not is_comparable and is_similar else ""


def _test_higher_loss(losses: NDArray[np.float64], rival_losses: NDArray[np.float64]) -> float:
    """Compute the p value of the mean difference of two losses of the same images; above 1 if `losses` is lower."""
    differences = losses - rival_losses
    error = float(differences.std()) / sqrt(len(differences))
    # Two-sided: p = erfc(z / √2) with z = mean / error. For z < 0, erfc gives 1 to 2, which is never significant.
    return erfc(float(differences.mean()) / error / sqrt(2)) if error else 1.0


def _make_table(trials: list[_Trial], remaining: list[_Trial], is_contradicted: bool = False) -> ScalingTable:
    """Make the table; `remaining` are the trials that may have the network's own scaling, the likeliest first."""
    is_clear, sentence = _conclude(trials, remaining, is_contradicted)
    for trial in remaining:
        trial.verdict = "best" if is_clear else "unclear"
    rows = (
        ScalingRow(
            trial.name, trial.scaling, len(trial.labels), trial.accuracy, float(trial.losses.mean()), trial.verdict
        )
        for trial in sorted(trials, key=lambda trial: (trial not in remaining, -trial.accuracy))
    )
    return ScalingTable(tuple(rows), remaining[0].scaling if is_clear else None, sentence)


def _conclude(trials: list[_Trial], remaining: list[_Trial], is_contradicted: bool) -> tuple[bool, str]:
    """Decide whether the first of the remaining trials is clearly the network's own, and say so or why not."""
    best = remaining[0]
    if not _knows_classes(best):
        top = max(remaining, key=lambda trial: trial.accuracy)
        return False, (
            f"with no scaling does it know these classes: the best, {top.name}, gives {100 * top.accuracy:.2f} % of "
            f"{len(top.labels):,} training images, and its outputs would fit other classes as well; it may be "
            "untrained, or its images or the order of its classes are others: name its own data with `dataset`"
        )
    correct = f"{100 * best.accuracy:.2f} % of {len(best.labels):,} training images"
    if is_contradicted:
        return False, (
            f"its scaling is unclear: with {best.name} {correct} are classified correctly, more than otherwise, but "
            "they have other statistics than its batch normalisation was trained on; were these its training images?"
        )
    if len(remaining) > 1:
        names = " and ".join(trial.name for trial in remaining)
        return False, f"its scaling is unclear: {names} are about as good on {len(best.labels):,} training images"
    if best.temperature > _TEMPERATURE_OVERCONFIDENT:
        return False, (
            f"its scaling is unclear: with {best.name} {correct} are classified correctly, more than otherwise, but it "
            f"is far more confident than that (temperature {best.temperature:.3g}); were these its training images?"
        )
    return True, f"its scaling is {best.name}, of {len(trials)} that were tried: {correct} are classified correctly"


def _knows_classes(trial: _Trial) -> bool:
    """True if the outputs stand for the classes, by rule 5: no other assignment of outputs to classes is as accurate.

    In an assignment, output order[c] stands for class c. `matrix[c, k]` counts the images of class c for which output
    k is the largest, so Σ matrix[c, order[c]] are correct, and the trace of the matrix as the network is.
    """
    matrix = confusion_matrix(trial.labels, trial.logits.argmax(axis=1), trial.logits.shape[1])
    if len(matrix) <= _MAX_FEW_CLASSES:
        chance = float(matrix.sum(axis=1).max() / matrix.sum())  # the share of the most frequent class
        return trial.accuracy - chance >= (1 - chance) / 2
    stream, classes, own = random_stream(2, "scaling"), np.arange(len(matrix)), matrix.diagonal()
    # No order is as accurate if each class has its own output most often, which is quick to see.
    count = _RELABELLINGS if (matrix >= own[:, None]).sum() > len(matrix) else 0
    orders = (stream.permutation(len(matrix)) for _ in range(count))
    return not any((order != classes).any() and matrix[classes, order].sum() >= own.sum() for order in orders)


def _format_p(p_value: float) -> str:
    return f"p = {p_value:.1g}" if p_value >= 1e-6 else "p < 1e-6"
