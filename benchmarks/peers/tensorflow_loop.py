"""Time the fastest epoch of `classic` on `cnn` that we could get out of TensorFlow in float32.

One tf.function runs the whole epoch over the set in memory, so no Python is left in it; max pooling comes before bias
and relu (they commute, and relu then has a quarter of the work); images stay bytes and are converted batch by batch;
Adam is TensorFlow's own fused kernel. Importing, reading and tracing (the first epoch, given apart) are not measured.

Tried, least seconds of three to five epochs on two AVX-512 cores (TensorFlow 2.21): this 1.25; one thread between
operations 1.25; two or four steps a turn of the loop 1.22 and 1.25. On 28 x 28 images: this 1.32; float images in
memory 1.43; relu before pooling 1.56; bias before pooling 1.93; Adam written out in TensorFlow's operations 1.37; one
thread within operations 1.59; without oneDNN 3.7; compiled by XLA 5.5.
"""

import measurement
import mnist
import numpy as np
import tensorflow as tf
from measurement import BATCH, IMAGES
from tensorflow_training import Adam, glorot, use_threads


class Cnn:
    """The network with its weights, kernel and bias of each layer in turn."""

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        self.weights = []
        for shape in (3, 3, 1, 16), (3, 3, 16, 32), (800, 128), (128, 10):
            self.weights += [glorot(random, *shape), tf.Variable(tf.zeros(shape[-1]))]

    def logits(self, images: tf.Tensor) -> tf.Tensor:
        maps = tf.cast(images, tf.float32) / 255
        for kernel, bias in zip(self.weights[0:4:2], self.weights[1:4:2], strict=True):
            pooled = tf.nn.max_pool2d(tf.nn.conv2d(maps, kernel, 1, "VALID"), 2, 2, "VALID")
            maps = tf.nn.relu(tf.nn.bias_add(pooled, bias))
        hidden = tf.nn.relu(tf.reshape(maps, [-1, 800]) @ self.weights[4] + self.weights[5])
        return hidden @ self.weights[6] + self.weights[7]


def main() -> None:
    options = measurement.arguments(__doc__, epochs=3)
    use_threads(options.threads)
    (images, labels), (test_images, test_labels) = mnist.load()
    all_images = tf.constant(mnist.read_part(images)[..., np.newaxis])
    all_labels = tf.constant(labels.astype(np.int32))
    network = Cnn()
    adam = Adam(network.weights, network.logits)
    whole = IMAGES // BATCH

    @tf.function
    def epoch() -> tf.Tensor:
        order = tf.random.shuffle(tf.range(IMAGES))
        total = 0.0
        for i in tf.range(whole):
            batch = order[i * BATCH : (i + 1) * BATCH]
            total += adam.step(tf.gather(all_images, batch), tf.gather(all_labels, batch))
        rest = order[whole * BATCH :]
        adam.step(tf.gather(all_images, rest), tf.gather(all_labels, rest))
        return total / whole

    first = measurement.seconds_of(lambda: epoch().numpy(), 1)
    seconds = measurement.seconds_of(lambda: epoch().numpy(), options.epochs)
    y_pred = tf.argmax(network.logits(tf.constant(mnist.read_part(test_images)[..., np.newaxis])), axis=1).numpy()
    measurement.report(
        seconds,
        packages=["tensorflow_cpu"],
        threads=options.threads,
        configuration="one tf.function an epoch, pooling before relu, 26 x 26 byte images, fused Adam",
        first_epoch_seconds=first[0],
        accuracy=float(np.mean(y_pred == test_labels)),
    )


main()
