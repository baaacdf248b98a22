"""The multiply-adds of training on one image, counted by hand.

A layer that multiplies counts up to three times: forward, the gradient with respect to its weights, and that with
respect to its inputs, which the first layer does not need. A factor such as 24 * 24 * 9 * 16 is rows * columns * kernel
size * filters. Positions whose value a later layer does not read, or a max-pooling discards, count no gradient.
"""

from training_work import count_training_macs

from convscope.architecture import (
    Add,
    Architecture,
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    Input,
    MaxPooling2D,
    presets,
)


def test_the_work_of_the_preset_counts_read_pixels_and_pooling_winners() -> None:
    # The maps are 26 x 26 and 11 x 11; their poolings read 24 x 24 and 10 x 10, of which 12 x 12 and 5 x 5 win.
    forward = 24 * 24 * 9 * 16 + 10 * 10 * 9 * 16 * 32 + 800 * 128 + 128 * 10
    backward = 12 * 12 * 9 * 16 + 2 * 5 * 5 * 9 * 16 * 32 + 2 * (800 * 128 + 128 * 10)
    assert count_training_macs(presets.cnn()) == forward + backward


def test_a_convolution_without_pooling_counts_three_times_and_the_first_layer_twice() -> None:
    layers = (Conv2D(4, 3, padding="same"), Conv2D(5, 3, 2), Flatten(), Dense(3))
    # The second reads rows and columns 0 to 6 of 8.
    expected = 2 * 7 * 7 * 9 * 4 + 3 * (3 * 3 * 9 * 4 * 5) + 3 * 45 * 3
    assert count_training_macs(Architecture(Input(8, 8), layers)) == expected


def test_normalisation_computes_a_gradient_for_every_pixel() -> None:
    end = (MaxPooling2D(2), Conv2D(5, 2), Flatten(), Dense(3))
    after = 3 * 80 + 3 * 15
    # Of the 5 x 5 positions the pooling reads 4 x 4, and of these 2 x 2 win; the statistics read all.
    assert count_training_macs(Architecture(Input(7, 7), (Conv2D(4, 3), *end))) == (16 + 4) * 36 + after
    normalized = (Conv2D(4, 3), BatchNormalization(activation="relu"), *end)
    assert count_training_macs(Architecture(Input(7, 7), normalized)) == (25 + 25) * 36 + after
    # Gamma and beta before the first convolution need the gradient with respect to its input too.
    assert count_training_macs(Architecture(Input(7, 7), (BatchNormalization(), *normalized))) == 3 * 25 * 36 + after


def test_a_map_that_two_layers_read_counts_once() -> None:
    image = Input(7, 7)
    residual = (Conv2D(4, 3), Conv2D(4, 3, padding="same"), Add("conv2d"), Conv2D(5, 3, 2), Flatten(), Dense(3))
    # The convolution with stride 2 reads all 5 x 5 positions; both inputs of the sum carry gradients everywhere.
    expected = 2 * 25 * 36 + 3 * 25 * 9 * 16 + 3 * 4 * 9 * 20 + 3 * 20 * 3
    assert count_training_macs(Architecture(image, residual)) == expected
    pooled = (Conv2D(4, 3), MaxPooling2D(1), Add("conv2d"), MaxPooling2D(2), Flatten(), Dense(3))
    # Of 5 x 5 positions the last pooling reads 4 x 4, so the sum and both its inputs need 4 x 4, with gradients.
    assert count_training_macs(Architecture(image, pooled)) == 2 * 16 * 36 + 3 * 16 * 3
