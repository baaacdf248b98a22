"""Draw weights, and take a step of Adam by TensorFlow's own fused kernel, for both TensorFlow loops."""

import os

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

from collections.abc import Callable

import numpy as np
import tensorflow as tf


def use_threads(threads: int) -> None:
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def glorot(random: np.random.Generator, *shape: int) -> tf.Variable:
    limit = np.sqrt(6 / (np.prod(shape[:-1]) + np.prod(shape[:-2]) * shape[-1]))
    return tf.Variable(random.uniform(-limit, limit, shape).astype(np.float32))


class Adam:
    """Adam as Keras sets it up, for `weights` under the cross-entropy of `logits`."""

    def __init__(self, weights: list[tf.Variable], logits: Callable[[tf.Tensor], tf.Tensor]) -> None:
        self.weights, self.logits = weights, logits
        self.means = [tf.Variable(tf.zeros_like(weight)) for weight in weights]
        self.squares = [tf.Variable(tf.zeros_like(weight)) for weight in weights]
        self.steps = tf.Variable(0.0)

    def step(self, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Take one step and return the loss before it."""
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, self.logits(images))
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, self.weights)
        self.steps.assign_add(1.0)
        for weight, mean, square, gradient in zip(self.weights, self.means, self.squares, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=weight.handle,
                m=mean.handle,
                v=square.handle,
                beta1_power=tf.pow(0.9, self.steps),
                beta2_power=tf.pow(0.999, self.steps),
                lr=1e-3,
                beta1=0.9,
                beta2=0.999,
                epsilon=1e-7,
                grad=gradient,
            )
        return loss
