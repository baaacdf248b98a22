"""The work of a training, counted by hand."""

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
    forward = 24 * 24 * 9 * 16 + 10 * 10 * 9 * 16 * 32 + 800 * 128 + 128 * 10
    backward = 12 * 12 * 9 * 16 + 2 * 5 * 5 * 9 * 16 * 32 + 2 * (800 * 128 + 128 * 10)
    assert count_training_macs(presets.cnn()) == forward + backward


def test_a_convolution_without_pooling_counts_three_times_and_the_first_layer_twice() -> None:
    layers = (Conv2D(4, 3, padding="same"), Conv2D(5, 3, 2), Flatten(), Dense(3))
    # The second reads rows and columns 0 to 6 of 8.
    expected = 2 * 7 * 7 * 9 * 4 + 3 * (3 * 3 * 9 * 4 * 5) + 3 * 45 * 3
    assert count_training_macs(Architecture(Input(8, 8), layers)) == expected


def test_a_dense_network_computes_no_gradient_by_its_images() -> None:
    layers = (MaxPooling2D(2), Flatten(), Dense(7, "relu"), Dense(3))
    assert count_training_macs(Architecture(Input(8, 6), layers)) == 2 * 12 * 7 + 3 * 7 * 3


def test_normalisation_computes_a_gradient_for_every_pixel() -> None:
    end = (MaxPooling2D(2), Conv2D(5, 2), Flatten(), Dense(3))
    after = 3 * 80 + 3 * 15
    # Of the 5 x 5 places the pooling reads 4 x 4, and of these 2 x 2 win; the statistics read all.
    assert count_training_macs(Architecture(Input(7, 7), (Conv2D(4, 3), *end))) == (16 + 4) * 36 + after
    normalized = (Conv2D(4, 3), BatchNormalization(activation="relu"), *end)
    assert count_training_macs(Architecture(Input(7, 7), normalized)) == (25 + 25) * 36 + after
    # The statistics of the images are constants, but gamma and beta before a convolution want its input's gradient.
    assert count_training_macs(Architecture(Input(7, 7), (BatchNormalization(), *normalized))) == 3 * 25 * 36 + after


def test_a_map_that_two_layers_read_counts_once() -> None:
    image = Input(7, 7)
    residual = (Conv2D(4, 3), Conv2D(4, 3, padding="same"), Add("conv2d"), Conv2D(5, 3, 2), Flatten(), Dense(3))
    # All 5 x 5 places are read by the convolution of stride 2; both ways to the sum carry gradients everywhere.
    expected = 2 * 25 * 36 + 3 * 25 * 9 * 16 + 3 * 4 * 9 * 20 + 3 * 20 * 3
    assert count_training_macs(Architecture(image, residual)) == expected
    pooled = (Conv2D(4, 3), MaxPooling2D(1), Add("conv2d"), MaxPooling2D(2), Flatten(), Dense(3))
    # Of 5 x 5 places the last pooling, the sum, and so both that it adds, need 4 x 4, and each carries a gradient.
    assert count_training_macs(Architecture(image, pooled)) == 2 * 16 * 36 + 3 * 16 * 3


def test_windows_exclude_pixels_that_they_skip() -> None:
    layers = (Conv2D(4, 3), Dropout(0.5), AveragePooling2D(2), DepthwiseConv2D(1, 2), Flatten(), Dense(3))
    # The depthwise convolution reads one place of 2 x 2, and so the pooling, the dropout and the first 2 x 2 of 5 x 5.
    assert count_training_macs(Architecture(Input(7, 7), layers)) == 2 * 4 * 36 + 3 * 4 + 3 * 4 * 3


def test_an_activation_between_a_convolution_and_its_pooling_changes_no_count() -> None:
    end = (MaxPooling2D(2), Flatten(), Dense(3))
    plain = Architecture(Input(7, 7), (Conv2D(4, 3, activation="relu"), *end))
    apart = Architecture(Input(7, 7), (Conv2D(4, 3), Activation("relu"), Activation("linear"), *end))
    assert count_training_macs(apart) == count_training_macs(plain)
    added = Architecture(Input(7, 7), (Conv2D(4, 3, name="a"), Activation("relu"), Add("a"), *end))
    assert count_training_macs(added) == 2 * 16 * 36 + 3 * 16 * 3


def test_windows_that_read_only_padding_are_left_out() -> None:
    # Of 5 x 5 places the pooling reads 4 x 4 with two rows of zeros above them: 2 x 4 rows and columns of the map.
    layers = (Conv2D(4, 3), ZeroPadding2D(((2, 0), (0, 0))), MaxPooling2D((4, 4), 4), Flatten(), Dense(3))
    assert count_training_macs(Architecture(Input(7, 7), layers)) == (2 * 4 + 2 * 4) * 36 + 3 * 4 * 3
