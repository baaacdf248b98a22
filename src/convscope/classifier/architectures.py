"""The architectures that `CNNClassifier` knows by name: the presets, and "auto", which fits the size of the images."""

from convscope.architecture import Architecture, Conv2D, Dense, Flatten, Input, MaxPooling2D, Shape
from convscope.architecture.presets import PRESETS, ann, cnn


def auto(image_shape: Shape, num_classes: int) -> Architecture:
    """Choose `cnn` for images of at least 16 × 16, `ann` for less than 8 × 8, and `small_cnn` for sizes between.

    `small_cnn` is `cnn` with `same` padding and without its first pooling, which would leave nothing of 8 × 8 pixels.
    Rows of a table, images of height 1, get `ann`, which sees no neighbourhoods.

    >>> [auto(shape, 10).name for shape in ((28, 28, 1), (8, 8, 1), (1, 30, 1))]
    ['cnn', 'small_cnn', 'ann']
    """
    side = min(image_shape[:2])
    if side >= 16:
        return cnn(image_shape, num_classes)
    # The two poolings of `cnn` need at least 10 pixels, and leave little of fewer than 16. With fewer than 8 pixels,
    # even one pooling would leave maps of 3 × 3 at most.
    if side < 8:
        return ann(image_shape, num_classes)
    layers = (
        Conv2D(16, (3, 3), padding="same", activation="relu"),
        # Padded and pooled once, so that maps of 4 × 4 to 7 × 7 remain.
        Conv2D(32, (3, 3), padding="same", activation="relu"),
        MaxPooling2D((2, 2)),
        Flatten(),
        Dense(128, activation="relu"),
        Dense(num_classes, activation="softmax"),
    )
    return Architecture(Input(*image_shape), layers, "small_cnn")


ARCHITECTURES = {"auto": auto, **PRESETS}
