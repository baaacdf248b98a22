"""The multiply-adds of training on one image, counted by hand.

A layer that multiplies counts up to three times: forward, the gradient with respect to its weights, and that with
respect to its inputs, which the first layer does not need. A factor such as 24 * 24 * 9 * 16 is rows * columns * kernel
size * filters. Positions whose value a later layer does not read, or a max-pooling discards, count no gradient.
"""

from training_work import count_training_macs

from convscope.architecture import (
    Activation,
    Add,
    Architecture,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    Input,
    MaxPooling2D,
    ZeroPadding2D,
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


def test_a_dense_network_computes_no_gradient_with_respect_to_its_images() -> None:
    layers = (MaxPooling2D(2), Flatten(), Dense(7, "relu"), Dense(3))
    assert count_training_macs(Architecture(Input(8, 6), layers)) == 2 * 12 * 7 + 3 * 7 * 3


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


def test_windows_exclude_pixels_that_they_skip() -> None:
    layers = (Conv2D(4, 3), Dropout(0.5), AveragePooling2D(2), DepthwiseConv2D(1, 2), Flatten(), Dense(3))
    # The depthwise convolution reads one position of the pooled 2 x 2; so dropout and first layer need 2 x 2 of 5 x 5.
    assert count_training_macs(Architecture(Input(7, 7), layers)) == 2 * 4 * 36 + 3 * 4 + 3 * 4 * 3


def test_an_activation_between_a_convolution_and_its_pooling_changes_no_count() -> None:
    end = (MaxPooling2D(2), Flatten(), Dense(3))
    plain = Architecture(Input(7, 7), (Conv2D(4, 3, activation="relu"), *end))
    apart = Architecture(Input(7, 7), (Conv2D(4, 3), Activation("relu"), Activation("linear"), *end))
    assert count_training_macs(apart) == count_training_macs(plain)
    added = Architecture(Input(7, 7), (Conv2D(4, 3, name="a"), Activation("relu"), Add("a"), *end))
    assert count_training_macs(added) == 2 * 16 * 36 + 3 * 16 * 3


def test_windows_that_read_only_padding_are_left_out() -> None:
    # The pooling reads 4 x 4 positions, the upper two rows of them zeros: 2 rows and 4 columns of the 5 x 5 map.
    layers = (Conv2D(4, 3), ZeroPadding2D(((2, 0), (0, 0))), MaxPooling2D((4, 4), 4), Flatten(), Dense(3))
    assert count_training_macs(Architecture(Input(7, 7), layers)) == (2 * 4 + 2 * 4) * 36 + 3 * 4 * 3
