"""Time Keras's `fit` on TensorFlow with the notebook's network and settings: seconds an epoch.

It measures what a user of the notebook waits for: `model.fit` on float32 images from 0 to 1, batches of 128, Adam as
Keras sets it up, a fresh shuffle each epoch. The first epoch, which also traces and compiles, is given apart;
importing, reading the images and validation are not measured. It is not the best that TensorFlow can do: that is
`tensorflow_loop.py`.
"""

import os

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

import time

import keras
import measurement
import mnist
import tensorflow as tf


class EpochSeconds(keras.callbacks.Callback):
    """Keep the seconds of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        self.seconds.append(time.perf_counter() - self.start)


def main() -> None:
    options = measurement.arguments(__doc__, epochs=3)
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    (images, labels), _ = mnist.load()
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(32, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    clock = EpochSeconds()
    fitted = model.fit(
        mnist.pixels(images), labels, batch_size=128, epochs=options.epochs + 1, verbose=0, callbacks=[clock]
    )
    measurement.report(
        clock.seconds[1:],
        packages=["keras", "tensorflow_cpu"],
        threads=options.threads,
        configuration="model.fit as in the notebook",
        first_epoch_seconds=clock.seconds[0],
        loss=fitted.history["loss"][-1],
    )


main()
