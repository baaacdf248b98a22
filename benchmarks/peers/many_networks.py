"""Time the recipe `fast` in PyTorch or Keras: networks are trained one after the other on `--threads` threads.

The network, batches of 64, Adam with rates that rise and fall in a line, smoothed labels and images shifted by up to a
pixel are those of convscope's recipe `fast`; each network is evaluated on the 10,000 test images. PyTorch trains in the
form that pytorch_loop.py found fastest. Keras compiles once: further networks get fresh weights in the same model. The
first network, which fills caches and compiles, is not measured, and neither is importing.
"""

import os

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

from collections.abc import Callable

import measurement
import mnist
import numpy as np
from measurement import IMAGES

BATCH, STEPS, RATE, BETA_2, SMOOTHING = 64, 938, 0.012, 0.98, 0.1
WARMUP = 0.1 * STEPS

Side = tuple[Callable[[int], float], list[str]]


def compute_learning_rate(step: int) -> float:
    """Compute the learning rate of a step, counted from 0: it rises linearly to RATE and falls linearly to 0."""
    return RATE * min((step + 1) / WARMUP, (STEPS - step) / (STEPS - WARMUP))


def shift_images(images: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Move each of the images (N, 28, 28) by up to a pixel each way, with zeros at the edge."""
    padded, moves = np.pad(images, ((0, 0), (1, 1), (1, 1))), random.integers(0, 9, len(images))
    result = np.empty_like(images)
    for move in range(9):
        chosen, (down, right) = moves == move, divmod(move, 3)
        result[chosen] = padded[chosen, down : down + 28, right : right + 28]
    return result


def pytorch(threads: int) -> Side:
    import torch
    import torch.nn.functional as F  # noqa: N812 - the name that everyone gives it
    from pytorch_network import Cnn, make_tensors

    torch.set_num_threads(threads)
    (images, labels), test = mnist.load()
    test_images, test_labels = make_tensors(test)

    def train(seed: int) -> float:
        torch.manual_seed(seed)
        random = np.random.default_rng(seed)
        network = Cnn().to(memory_format=torch.channels_last)
        adam = torch.optim.Adam(network.parameters(), lr=RATE, betas=(0.9, BETA_2), eps=1e-7, fused=True)
        order = random.permutation(IMAGES)
        moved, their_labels = make_tensors((shift_images(images[order], random), labels[order]))
        for step in range(STEPS):
            for group in adam.param_groups:
                group["lr"] = compute_learning_rate(step)
            batch = slice(step * BATCH, step * BATCH + BATCH)
            loss = F.cross_entropy(network(moved[batch]), their_labels[batch], label_smoothing=SMOOTHING)
            adam.zero_grad(set_to_none=True)
            loss.backward()
            adam.step()
        with torch.inference_mode():
            return (network(test_images).argmax(1) == test_labels).float().mean().item()

    return train, ["torch"]


def keras_on_tensorflow(threads: int) -> Side:
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    (images, labels), (test_images, test_labels) = mnist.load()
    layers = keras.layers

    class Rates(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step: object) -> object:
            done = tf.cast(step, tf.float32)
            return RATE * tf.minimum((done + 1) / WARMUP, (STEPS - done) / (STEPS - WARMUP))

    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=SMOOTHING)
    model.compile(keras.optimizers.Adam(Rates(), beta_2=BETA_2), loss)
    test = mnist.pixels(test_images)

    def train(seed: int) -> float:
        random = np.random.default_rng(seed)
        for variable in model.optimizer.variables:
            variable.assign(tf.zeros_like(variable))
        for layer in model.layers:
            for variable in layer.weights:
                limit = np.sqrt(6 / sum(_fans(variable.shape))) if len(variable.shape) > 1 else 0.0
                variable.assign(random.uniform(-limit, limit, variable.shape))
        moved = mnist.pixels(shift_images(images, random))
        model.fit(moved, np.eye(10, dtype=np.float32)[labels], batch_size=BATCH, epochs=1, verbose=0)
        return float((model.predict(test, batch_size=1000, verbose=0).argmax(1) == test_labels).mean())

    return train, ["keras", "tensorflow_cpu"]


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    field = int(np.prod(shape[:-2]))
    return field * shape[-2], field * shape[-1]


def main() -> None:
    options = measurement.arguments(__doc__, library="pytorch", networks=2)
    train, packages = {"pytorch": pytorch, "keras": keras_on_tensorflow}[options.library](options.threads)
    train(0)
    accuracies = list[float]()
    seconds = measurement.seconds_of(lambda: accuracies.append(train(len(accuracies) + 1)), options.networks)
    measurement.report(
        seconds,
        packages=packages,
        threads=options.threads,
        configuration="recipe fast, one network after the other",
        accuracies=accuracies,
    )


main()
