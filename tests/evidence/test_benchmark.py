"""What `convscope bench` prints: work counted by hand, and times that hang together."""

import pytest

import convscope as cs
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
from convscope.engine import initial_weights, open_network
from convscope.evidence.benchmark import measure_latency, measure_speed, training_macs
from convscope.recipes import classic


def test_work_of_the_preset_counts_places_that_are_read_and_winners() -> None:
    forward = 24 * 24 * 9 * 16 + 10 * 10 * 9 * 16 * 32 + 800 * 128 + 128 * 10
    backward = 12 * 12 * 9 * 16 + 2 * 5 * 5 * 9 * 16 * 32 + 2 * (800 * 128 + 128 * 10)
    assert training_macs(presets.cnn()) == forward + backward


def test_a_convolution_without_pooling_counts_three_times_and_the_first_layer_twice() -> None:
    layers = (Conv2D(4, 3, padding="same"), Conv2D(5, 3, 2), Flatten(), Dense(3))
    # The second reads rows and columns 0 to 6 of 8.
    expected = 2 * 7 * 7 * 9 * 4 + 3 * (3 * 3 * 9 * 4 * 5) + 3 * 45 * 3
    assert training_macs(Architecture(Input(8, 8), layers)) == expected


def test_a_dense_network_counts_no_gradient_by_its_images() -> None:
    layers = (MaxPooling2D(2), Flatten(), Dense(7, "relu"), Dense(3))
    assert training_macs(Architecture(Input(8, 6), layers)) == 2 * 12 * 7 + 3 * 7 * 3


def test_normalisation_reads_every_place_and_gives_each_a_gradient() -> None:
    end = (MaxPooling2D(2), Conv2D(5, 2), Flatten(), Dense(3))
    after = 3 * 80 + 3 * 15
    # Of the 5 x 5 places the pooling reads 4 x 4, and of these 2 x 2 win; the statistics read all.
    assert training_macs(Architecture(Input(7, 7), (Conv2D(4, 3), *end))) == (16 + 4) * 36 + after
    normalized = (Conv2D(4, 3), BatchNormalization(activation="relu"), *end)
    assert training_macs(Architecture(Input(7, 7), normalized)) == (25 + 25) * 36 + after
    # The statistics of the images are constants, but gamma and beta before a convolution want its input's gradient.
    assert training_macs(Architecture(Input(7, 7), (BatchNormalization(), *normalized))) == 3 * 25 * 36 + after


def test_what_two_layers_read_counts_once_and_at_its_largest() -> None:
    image = Input(7, 7)
    residual = (Conv2D(4, 3), Conv2D(4, 3, padding="same"), Add("conv2d"), Conv2D(5, 3, 2), Flatten(), Dense(3))
    # All 5 x 5 places are read by the convolution of stride 2; both ways to the sum carry gradients everywhere.
    expected = 2 * 25 * 36 + 3 * 25 * 9 * 16 + 3 * 4 * 9 * 20 + 3 * 20 * 3
    assert training_macs(Architecture(image, residual)) == expected
    pooled = (Conv2D(4, 3), MaxPooling2D(1), Add("conv2d"), MaxPooling2D(2), Flatten(), Dense(3))
    # Of 5 x 5 places the last pooling, the sum, and so both that it adds, need 4 x 4, and each carries a gradient.
    assert training_macs(Architecture(image, pooled)) == 2 * 16 * 36 + 3 * 16 * 3


def test_every_window_leaves_out_what_it_does_not_read() -> None:
    layers = (Conv2D(4, 3), Dropout(0.5), AveragePooling2D(2), DepthwiseConv2D(1, 2), Flatten(), Dense(3))
    # The depthwise convolution reads one place of 2 x 2, and so the pooling, the dropout and the first 2 x 2 of 5 x 5.
    assert training_macs(Architecture(Input(7, 7), layers)) == 2 * 4 * 36 + 3 * 4 + 3 * 4 * 3


def test_an_activation_between_a_convolution_and_its_pooling_changes_no_count() -> None:
    end = (MaxPooling2D(2), Flatten(), Dense(3))
    plain = Architecture(Input(7, 7), (Conv2D(4, 3, activation="relu"), *end))
    apart = Architecture(Input(7, 7), (Conv2D(4, 3), Activation("relu"), Activation("linear"), *end))
    assert training_macs(apart) == training_macs(plain)
    added = Architecture(Input(7, 7), (Conv2D(4, 3, name="a"), Activation("relu"), Add("a"), *end))
    assert training_macs(added) == 2 * 16 * 36 + 3 * 16 * 3


def test_places_that_only_padding_would_read_are_left_out() -> None:
    # Of 5 x 5 places the pooling reads 4 x 4 with two rows of zeros above them: 2 x 4 rows and columns of the map.
    layers = (Conv2D(4, 3), ZeroPadding2D(((2, 0), (0, 0))), MaxPooling2D((4, 4), 4), Flatten(), Dense(3))
    assert training_macs(Architecture(Input(7, 7), layers)) == (2 * 4 + 2 * 4) * 36 + 3 * 4 * 3


@pytest.mark.slow
def test_speed_is_measured_and_hangs_together(small_mnist: cs.Splits) -> None:
    train, test = small_mnist.train, small_mnist.test
    result = measure_speed(presets.cnn(), classic, train, test, threads=1, epochs=2)
    assert result.threads == 1
    assert 0 < result.peak_share < 2
    for times in (result.epoch_seconds, result.forward_seconds, result.prediction_seconds, result.latency_seconds):
        assert 0 < times.minimum <= times.median <= times.maximum
    assert result.epoch_seconds.n == 2
    operations = 2 * result.training_macs * len(train)
    assert result.peak_share == pytest.approx(operations / result.epoch_seconds.median / result.peak_gflops / 1e9)


def test_no_epochs_are_rejected(small_mnist: cs.Splits) -> None:
    with pytest.raises(ValueError, match="epochs is 0"):
        measure_speed(presets.cnn(), classic, small_mnist.train, small_mnist.test, epochs=0)


def test_the_time_of_an_answer_is_measured_for_one_and_for_a_thousand(small_mnist: cs.Splits) -> None:
    network = cs.presets.ann()
    opened = open_network(network, initial_weights(network, 0))
    one, many = measure_latency(opened, small_mnist.train.images)
    assert many is not None
    assert 0 < one < many < 1
    assert measure_latency(opened, small_mnist.test.images)[1] is None  # of 300
