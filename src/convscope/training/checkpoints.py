"""Report weights within a training, after steps 0, 1, 3, 10, 30, ... and each epoch, so that a page shows it learn."""

from collections.abc import Callable

import numpy as np
from msgspec.structs import replace

from convscope.base import metrics
from convscope.data.datasets import Dataset, evenly
from convscope.engine import Network, Weights
from convscope.training.records import Checkpoint

OnCheckpoint = Callable[[Checkpoint, Weights], None]
_MAX_IMAGES = 1_000  # measured within an epoch, in a few milliseconds


class CheckpointReporter:
    """Calls a training's `on_checkpoint` with the weights of its network, and with their accuracy."""

    def __init__(
        self, network: Network, steps_per_epoch: int, validation: Dataset | None, on_checkpoint: OnCheckpoint
    ) -> None:
        self._network, self._steps_per_epoch, self._report = network, steps_per_epoch, on_checkpoint
        self._num_validation = 0 if validation is None else len(validation)
        self._images = validation and validation.take(evenly(len(validation), _MAX_IMAGES))

    def pauses(self, first: int, num_steps: int) -> list[int]:
        """List the steps, from 1 to `num_steps`, after which weights are kept within an epoch; `first` came before.

        These are steps 1, 3, 10, 30, 100, ... of the training.
        """
        steps = range(first + 1, first + num_steps + 1)
        return [step - first for step in steps if str(step).rstrip("0") in ("1", "3") and step % self._steps_per_epoch]

    def report_step(self, step: int) -> None:
        """Report the network's present weights, those after `step` steps of the training."""
        checkpoint = Checkpoint(epoch=step / self._steps_per_epoch, step=step)
        if self._images is not None:
            labels, logits = self._images.labels, self._network.logits(self._images.images)
            if np.isfinite(logits).all():  # else the training has diverged, which the end of the epoch says
                loss, accuracy = metrics.cross_entropy(logits, labels), metrics.accuracy(labels, logits.argmax(axis=1))
                checkpoint = replace(checkpoint, loss=loss, accuracy=accuracy, num_images=len(labels))
        self._report(checkpoint, self._network.weights())

    def report_epoch(self, epoch: int, weights: Weights, loss: float | None, accuracy: float | None) -> None:
        """Report the weights at the end of an epoch, with what was measured there."""
        step = epoch * self._steps_per_epoch
        num_images = self._num_validation
        self._report(Checkpoint(epoch=epoch, step=step, loss=loss, accuracy=accuracy, num_images=num_images), weights)
