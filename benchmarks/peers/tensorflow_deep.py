"""Time a deep network of `architectures.py` in TensorFlow: seconds of `batches` batches of 128 with Adam.

In float32, or with `--precision bfloat16` with maps and convolutions of bfloat16, as in Keras's `mixed_bfloat16`.

One tf.function runs all batches from byte images in memory; batch normalisation is the fused kernel; the seconds of an
epoch are those of its batches times 469 over how many they are (extrapolated, as every epoch is the same work).
Importing and tracing (in the first repetition, given apart) are not measured.

The choices that `tensorflow_loop.py` found best (oneDNN, two threads, byte images, fused Adam) are used here too; no
more was tried.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

import measurement
import mnist
import numpy as np
import tensorflow as tf
from architectures import NETWORKS, Pooling, Residual
from measurement import BATCH
from tensorflow_training import Adam, glorot, use_threads


class Network:
    """A network of `architectures.py` with its weights."""

    def __init__(self, name: str, precision: str) -> None:
        random = np.random.default_rng(0)
        network = NETWORKS[name]
        self.blocks, self.normalized_logits, self.averaged = network.blocks, network.normalized_logits, network.averaged
        self.dtype = tf.as_dtype(precision)
        self.weights: list[tf.Variable] = []
        self.running: list[tf.Variable] = []
        side, channels = 28, 1
        for block in self.blocks:
            if isinstance(block, Pooling):
                side //= 2
                continue
            if isinstance(block, Residual):
                self._add_normalization(channels)
                self.weights += [glorot(random, 3, 3, channels, channels), tf.Variable(tf.zeros(channels))]
                continue
            self.weights.append(glorot(random, block.size, block.size, channels, block.filters))
            self._add_normalization(block.filters)
            side, channels = side - (block.size - 1) * (block.padding == "valid"), block.filters
            side //= 2 if block.pooled else 1
        self.weights.append(glorot(random, channels if self.averaged else side * side * channels, 10))
        if self.normalized_logits:
            self._add_normalization(10)
        else:
            self.weights.append(tf.Variable(tf.zeros(10)))

    def _add_normalization(self, channels: int) -> None:
        self.weights += [tf.Variable(tf.ones(channels)), tf.Variable(tf.zeros(channels))]
        self.running += [tf.Variable(tf.zeros(channels)), tf.Variable(tf.ones(channels))]

    def logits(self, images: tf.Tensor) -> tf.Tensor:
        weights, running = iter(self.weights), iter(self.running)

        def normalize(maps: tf.Tensor) -> tf.Tensor:
            maps, mean, variance = tf.compat.v1.nn.fused_batch_norm(
                maps, next(weights), next(weights), epsilon=1e-3, is_training=True
            )
            for average, value in zip((next(running), next(running)), (mean, variance), strict=True):
                average.assign_add(0.01 * (value - average))
            return maps

        def convolve(maps: tf.Tensor, padding: str) -> tf.Tensor:
            return tf.nn.conv2d(maps, tf.cast(next(weights), self.dtype), 1, padding)

        def pool(maps: tf.Tensor) -> tf.Tensor:
            return tf.nn.max_pool2d(maps, 2, 2, "VALID")

        maps = tf.cast(tf.cast(images, tf.float32) / 255, self.dtype)
        for block in self.blocks:
            if isinstance(block, Pooling):
                maps = pool(maps)
            elif isinstance(block, Residual):
                maps = normalize(maps)
                maps += tf.nn.relu(convolve(maps, "SAME") + tf.cast(next(weights), self.dtype))
            else:
                convolved = convolve(maps, block.padding.upper())
                maps = tf.nn.relu(normalize(pool(convolved) if block.pooled else convolved))
        vectors = tf.reduce_mean(maps, [1, 2]) if self.averaged else tf.reshape(maps, [len(images), -1])
        outputs = tf.cast(vectors, tf.float32) @ next(weights)
        if self.normalized_logits:
            return normalize(outputs[:, tf.newaxis, tf.newaxis, :])[:, 0, 0, :]
        return outputs + next(weights)


def main() -> None:
    options = measurement.arguments(__doc__, network="vgg", precision="float32", repetitions=3)
    use_threads(options.threads)
    (images, labels), _ = mnist.load()
    network, batches = Network(options.network, options.precision), NETWORKS[options.network].batches
    adam = Adam(network.weights, network.logits)
    order = np.random.default_rng(0).permutation(len(images))[: batches * BATCH]
    all_images = tf.constant(images[order, ..., np.newaxis].reshape(batches, BATCH, 28, 28, 1))
    all_labels = tf.constant(labels[order].astype(np.int32).reshape(batches, BATCH))

    @tf.function
    def train() -> tf.Tensor:
        loss = 0.0
        for i in tf.range(batches):
            loss = adam.step(all_images[i], all_labels[i])
        return loss

    first = measurement.seconds_of(lambda: train().numpy(), 1)
    seconds = measurement.seconds_of(lambda: train().numpy(), options.repetitions)
    epochs = [value * measurement.STEPS / batches for value in seconds]
    measurement.report(
        epochs,
        packages=["tensorflow_cpu"],
        threads=options.threads,
        configuration=f"one tf.function, fused batch normalisation, byte images, fused Adam, {options.precision}",
        extrapolated_from_images=batches * BATCH,
        first_epoch_seconds=first[0] * measurement.STEPS / batches,
        loss=float(train()),
    )


main()
