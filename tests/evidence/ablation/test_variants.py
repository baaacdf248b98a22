"""The variants of a network that lack a part, and their parameters."""

import pytest

import convscope as cs
from convscope.evidence.ablation import variants, variants_left_out


def count_parameters(architecture):
    return {variant.name: variant.architecture.parameters for variant in variants(architecture)}


def test_parameters_of_each_variant_of_the_cnn_are_those_counted_by_hand():
    conv, conv_1, last = 9 * 16 + 16, 9 * 16 * 32 + 32, 128 * 10 + 10
    assert count_parameters(cs.presets.cnn()) == {
        "no last convolution": conv + (6 * 6 * 16 * 128 + 128) + last,  # pixels a side: 26, pooled to 13, pooled to 6
        "no pooling": conv + conv_1 + (24 * 24 * 32 * 128 + 128) + last,
        "average pooling": conv + conv_1 + (5 * 5 * 32 * 128 + 128) + last,
        "linear activations": conv + conv_1 + (5 * 5 * 32 * 128 + 128) + last,
        "linear model": 784 * 10 + 10,
        "1 × 1 kernels": (16 + 16) + (16 * 32 + 32) + (7 * 7 * 32 * 128 + 128) + last,
        "5 × 5 kernels": (25 * 16 + 16) + (25 * 16 * 32 + 32) + (4 * 4 * 32 * 128 + 128) + last,
        "half width": (9 * 8 + 8) + (9 * 8 * 16 + 16) + (5 * 5 * 16 * 64 + 64) + (64 * 10 + 10),
        "double width": (9 * 32 + 32) + (9 * 32 * 64 + 64) + (5 * 5 * 64 * 256 + 256) + (256 * 10 + 10),
        "same padding": conv + conv_1 + (7 * 7 * 32 * 128 + 128) + last,
        "no hidden dense layer": conv + conv_1 + (5 * 5 * 32 * 10 + 10),
        "global pooling": conv + conv_1 + (32 * 128 + 128) + last,
        # The parameters of the network itself:
        **dict.fromkeys(("pixels not scaled", "100 images", "1,000 images", "10,000 images"), 108_618),
    }


def test_variants_of_parts_that_the_network_lacks_are_left_out_with_the_reason():
    reasons = {variant.name: variant.reason for variant in variants_left_out(cs.presets.cnn())}
    assert reasons == {
        "max pooling": "the network has no average pooling",
        "no batch normalisation": "the network has no batch normalisation",
        "no dropout": "the network has no dropout",
        "no shortcuts": "the network has no addition",
    }
    reasons = {variant.name: variant.reason for variant in variants_left_out(cs.presets.ann())}
    assert reasons["no pooling"] == "the network has no window pooling"
    assert reasons["5 × 5 kernels"] == reasons["global pooling"] == "the network has no convolution"
    assert reasons["no hidden dense layer"] == "it is identical to linear model"
    assert list(count_parameters(cs.presets.ann())) == [
        "linear activations", "linear model", "half width", "double width", "pixels not scaled",
        "100 images", "1,000 images", "10,000 images",
    ]  # fmt: skip


def test_a_variant_without_a_valid_shape_is_left_out_with_the_reason():
    reasons = {variant.name: variant.reason for variant in variants_left_out(cs.presets.cnn((12, 12, 1), 2))}
    assert reasons["5 × 5 kernels"].startswith("conv2d_1 (Conv2D) with a window of 5 × 5 does not fit a map of 4 × 4")


def test_the_original_network_is_not_among_the_variants():
    linear = cs.Architecture(cs.Input(28, 28), (cs.Flatten(), cs.Dense(10, "softmax", name="answer")), "linear")
    reasons = {variant.name: variant.reason for variant in variants_left_out(linear)}
    assert reasons["linear model"] == reasons["linear activations"] == "it is identical to the network itself"
    assert reasons["half width"] == "the network has no hidden layer"
    assert list(count_parameters(linear)) == ["pixels not scaled", "100 images", "1,000 images", "10,000 images"]


def test_shortcuts_normalisation_dropout_and_poolings_are_changed_one_at_a_time():
    layers = (
        cs.Conv2D(6, 3, name="stem", activation="relu"), cs.Conv2D(6, 3, padding="same", use_bias=False),
        cs.BatchNormalization(activation="relu"), cs.Add("stem", "relu"), cs.AveragePooling2D(), cs.Dropout(0.2),
        cs.Flatten(), cs.Dense(3, "softmax"),
    )  # fmt: skip
    network = cs.Architecture(cs.Input(9, 8), layers)
    made = {variant.name: variant.architecture for variant in variants(network)}
    assert [layer.kind for layer in made["no shortcuts"].layers].count("Add") == 0
    plain = made["no batch normalisation"].layers[1]
    assert (plain.activation, plain.use_bias) == ("relu", True)
    # Less the scales and offsets of 6 channels, and with biases instead.
    assert made["no batch normalisation"].parameters == network.parameters - 2 * 6 + 6
    assert made["no dropout"].parameters == network.parameters
    assert [layer.kind for layer in made["max pooling"].layers].count("MaxPooling2D") == 1
    linear = [layer.activation for layer in made["linear activations"].layers if hasattr(layer, "activation")]
    assert linear == ["linear", "linear", "linear", "linear", "softmax"]
    assert {layer.filters for layer in made["double width"].layers if isinstance(layer, cs.Conv2D)} == {12}


def test_normalisation_that_follows_an_activation_is_not_taken_out():
    layers = (cs.Conv2D(4, activation="relu"), cs.BatchNormalization(), cs.Flatten(), cs.Dense(3))
    reasons = {variant.name: variant.reason for variant in variants_left_out(cs.Architecture(cs.Input(9, 8), layers))}
    expected = "batch_normalization does not follow a convolution or dense layer without activation"
    assert reasons["no batch normalisation"] == expected


def test_padding_and_activation_layers_merge_into_their_neighbours():
    layers = (
        cs.Conv2D(4, 3, activation="relu"), cs.ZeroPadding2D(name="kept"), cs.MaxPooling2D(),
        cs.ZeroPadding2D(name="pad"), cs.Conv2D(4, 3), cs.Activation("relu", name="act"), cs.Flatten(),
        cs.Dense(7, name="hidden"), cs.Activation("tanh", name="own"), cs.Dense(3),
        cs.Activation("softmax", name="end"),
    )  # fmt: skip
    network = cs.Architecture(cs.Input(9, 8), layers)
    made = {variant.name: variant.architecture for variant in variants(network)}
    names = {name: {layer.name for layer in architecture.layers} for name, architecture in made.items()}
    all_names = {layer.name for layer in network.layers}
    assert all_names - names["no last convolution"] == {"conv2d_1", "pad", "act"}
    assert all_names - names["same padding"] == {"pad"}
    row = made["same padding"].row("conv2d_1")
    assert row.output_shape == row.input_shape
    assert all_names - names["no hidden dense layer"] == {"hidden", "own"}
    linear = [layer.activation for layer in made["linear activations"].layers if hasattr(layer, "activation")]
    assert linear == ["linear"] * 6 + ["softmax"]
    assert made["half width"].num_classes == 3


def test_the_padding_after_the_only_convolution_stays_without_it():
    layers = (cs.Conv2D(4, 3), cs.Activation("relu"), cs.ZeroPadding2D(), cs.Flatten(), cs.Dense(3))
    made = {variant.name: variant.architecture for variant in variants(cs.Architecture(cs.Input(9, 8), layers))}
    assert [layer.kind for layer in made["no last convolution"].layers] == ["ZeroPadding2D", "Flatten", "Dense"]


def test_a_network_that_ends_in_a_convolution_keeps_its_classes():
    layers = (cs.Conv2D(8, activation="relu"), cs.Conv2D(10, 1), cs.GlobalAveragePooling2D())
    for variant in variants(cs.Architecture(cs.Input(12, 12), layers)):
        if variant.name != "no last convolution":
            assert variant.architecture.num_classes == 10
    reasons = {x.name: x.reason for x in variants_left_out(cs.Architecture(cs.Input(12, 12), layers))}
    assert reasons["global pooling"] == "the network flattens no map"


@pytest.mark.parametrize("make", [cs.presets.cnn, cs.presets.ann])
@pytest.mark.parametrize(("shape", "num_classes"), [((28, 28, 1), 10), ((32, 20, 3), 2), ((64, 64, 3), 1000)])
def test_every_variant_has_the_same_input_and_classes_and_a_unique_name(make, shape, num_classes):
    made = variants(make(shape, num_classes))
    for variant in made:
        assert variant.architecture.input.shape == shape
        assert variant.architecture.num_classes == num_classes
        assert variant.change
    assert len({variant.name for variant in made}) == len(made)
    left_out = variants_left_out(make(shape, num_classes))
    assert len(made) + len(left_out) == 20  # as many variants as there are, made or left out
