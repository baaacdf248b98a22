"""A stated scaling of bytes to the numbers that an imported network reads, for every layer that may come first."""

import numpy as np
import pytest

import convscope as cs
from convscope.base.errors import InterchangeError
from convscope.engine import initial_weights
from convscope.engine.reference_passes import Passes
from convscope.export.c_header import open_c
from convscope.export.onnx import open_onnx, write_onnx
from convscope.interchange.imported import Imported
from convscope.interchange.onnx_files import read_onnx

MIXED = (cs.Conv2D(4, 3, padding="same", activation="relu"), cs.Flatten())
LAYERS = {
    "convolution": MIXED,
    "dense": (cs.Flatten(),),
    "depthwise": (cs.DepthwiseConv2D(3, depth_multiplier=2, padding="same", activation="tanh"), *MIXED),
    "normalised": (cs.BatchNormalization(activation="relu"), cs.MaxPooling2D(), cs.ZeroPadding2D(1), cs.Flatten()),
    "sum of colours": (cs.DepthwiseConv2D(3, padding="same", name="a"), cs.AveragePooling2D(3, 1, "same"), cs.Add("a"),
        cs.GlobalMaxPooling2D(), cs.BatchNormalization()),
    "groups of one colour": (cs.Conv2D(6, 3, groups=3, padding="same", activation="elu"), *MIXED),
    "groups of what was mixed": (cs.Conv2D(4, 1), cs.Conv2D(6, 3, groups=2, activation="relu"), cs.Flatten()),
    "branches from the image": (cs.Conv2D(5, 1, name="mixed"), cs.Branch("input"),
        cs.DepthwiseConv2D(3, padding="same", depth_multiplier=2, name="deep"), cs.PReLU(),
        cs.Concatenate("mixed", name="both"), cs.Branch("input", name="colours"), cs.Concatenate("both"),
        cs.Conv2D(3, 3, padding="same", activation="relu"), cs.Flatten()),
    "flattened twice": (cs.Flatten(), cs.Dropout(0.3), cs.Flatten()),
}  # fmt: skip
SCALINGS = {
    "byte / 255": cs.Scaling(),
    "raw": cs.Scaling(1.0),
    "-1 to 1, inverted": cs.Scaling(mean=0.5, std=0.5, inverted=True),
    "by channel": cs.Scaling(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    "blue, green, red": cs.Scaling(bgr=True),
    "all at once": cs.Scaling(1 / 128, (0.1, 0.2, 0.3), (1.0, 0.5, 2.0), inverted=True, bgr=True),
}


def make_imported(*layers, channels: int = 3) -> Imported:
    """Make a network as a reader returns it: with random weights, and an input whose bytes are not scaled."""
    architecture = cs.Architecture(cs.Input(9, 8, channels, 1.0), (*layers, cs.Dense(3, "softmax")), "theirs")
    stream = np.random.default_rng(0)
    weights = {
        name: np.asarray(array + stream.uniform(0.1, 0.4, array.shape), np.float32)
        for name, array in initial_weights(architecture, 0).items()
    }
    return Imported(architecture, weights)


def draw_images(channels: int = 3) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (5, 9, 8, channels), dtype=np.uint8)


def scale_and_compute(network: Imported, scaling: cs.Scaling, images: np.ndarray) -> np.ndarray:
    """Scale the images in NumPy and compute the network's logits."""
    numbers = (255.0 - images if scaling.inverted else images.astype(float)) * scaling.scale
    numbers = (numbers - np.array(scaling.mean)) / np.array(scaling.std)
    weights = {name: array.astype(np.float64) for name, array in network.weights.items()}
    return Passes(network.architecture).forward(weights, numbers[..., ::-1] if scaling.bgr else numbers)[-1]


@pytest.mark.parametrize("scaling", SCALINGS.values(), ids=SCALINGS)
@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
def test_bytes_become_the_numbers_that_the_network_reads(layers, scaling: cs.Scaling):
    network, images = make_imported(*layers), draw_images()
    model = network.apply_scaling(scaling).to_model()
    expected = scale_and_compute(network, scaling, images)
    np.testing.assert_allclose(model.logits(images), expected, atol=2e-5 * np.abs(expected).max())
    assert model.provenance["imported"]["scaling"] == scaling.to_dict()
    # `apply_scaling` may insert a layer at the front.
    kinds = [layer.kind for layer in model.architecture.layers][-len(network.architecture.layers) :]
    assert kinds == [layer.kind for layer in network.architecture.layers]


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_other_numbers_of_channels_are_scaled_too(channels: int):
    network, images = make_imported(*MIXED, channels=channels), draw_images(channels)
    scaling = cs.Scaling(mean=tuple(np.linspace(0.1, 0.4, channels)), std=0.3)
    expected = scale_and_compute(network, scaling, images)
    actual = network.apply_scaling(scaling).to_model().logits(images)
    np.testing.assert_allclose(actual, expected, atol=2e-5 * np.abs(expected).max())


def test_one_scaling_for_all_channels_becomes_that_of_the_input():
    scaled = make_imported(*MIXED).apply_scaling(cs.Scaling(mean=0.1307, std=0.3081)).architecture
    assert len(scaled.layers) == len(MIXED) + 1
    assert scaled.input.scale == pytest.approx(1 / 255 / 0.3081)
    assert scaled.input.offset == pytest.approx(-0.1307 / 0.3081)


def test_the_layer_of_a_scaling_by_channel_has_a_unique_name():
    network = make_imported(cs.Flatten(name="scaling"))
    layers = network.apply_scaling(SCALINGS["by channel"]).architecture.layers
    assert [layer.name for layer in layers] == ["scaling_1", "scaling", "dense"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 0.0}, "scale is 0.0"),
        ({"std": (0.2, 0.0)}, "std is"),
        ({"mean": float("nan")}, "mean is nan"),
        ({"mean": ()}, "mean is"),
    ],
)
def test_numbers_that_scale_nothing_are_refused(arguments: dict, message: str):
    with pytest.raises(ValueError, match=message):
        cs.Scaling(**arguments)


@pytest.mark.parametrize(
    ("scaling", "message"),
    [
        (cs.Scaling(mean=(0.1, 0.2)), "mean is .* of which images have 3"),
        (cs.Scaling(std=(1.0, 2.0, 3.0, 4.0)), "std is .* of which images have 3"),
    ],
)
def test_numbers_for_other_channels_are_refused(scaling: cs.Scaling, message: str):
    with pytest.raises(ValueError, match=message):
        make_imported(*MIXED).apply_scaling(scaling)
    with pytest.raises(ValueError, match="order of 3 channels"):
        make_imported(*MIXED, channels=1).apply_scaling(cs.Scaling(bgr=True))


def test_bytes_are_not_scaled_twice():
    once = make_imported(*MIXED).apply_scaling(cs.Scaling())
    with pytest.raises(InterchangeError, match="it scales bytes itself"):
        once.apply_scaling(cs.Scaling(inverted=True))
    inverted = once.apply_scaling(cs.Scaling(scale=1.0, inverted=True)).to_model()
    np.testing.assert_allclose(inverted.logits(draw_images()), once.to_model().logits(255 - draw_images()), rtol=1e-4)


@pytest.mark.parametrize(
    ("scaling", "formula"),
    [
        (cs.Scaling(), "byte / 255"),
        (cs.Scaling(1.0), "byte"),
        (cs.Scaling(1.0, std=255), "byte / 255"),
        (cs.Scaling(mean=0.1307, std=0.3081), "(byte / 255 - 0.1307) / 0.3081"),
        (cs.Scaling(inverted=True, bgr=True), "(255 - byte) / 255, channels in the order blue, green, red"),
        (cs.Scaling(0.3, (1, 2)), "byte * 0.3 - (1, 2)"),
    ],
)
def test_a_scaling_is_written_as_a_formula(scaling: cs.Scaling, formula: str):
    assert scaling.formula == formula


@pytest.mark.parametrize("scaling", ["-1 to 1, inverted", "all at once"])
def test_a_scaling_is_in_saved_models_and_exports(scaling: str, tmp_path):
    model, images = make_imported(*MIXED).apply_scaling(SCALINGS[scaling]).to_model(), draw_images()
    expected = model.logits(images)
    atol = 2e-5 * np.abs(expected).max()
    cs.save_model(model, tmp_path / "m.safetensors")
    np.testing.assert_array_equal(cs.load_model(tmp_path / "m.safetensors").logits(images), expected)
    for fold in (True, False):
        write_onnx(model, tmp_path / "m.onnx", fold=fold)
        imported = read_onnx(tmp_path / "m.onnx")
        assert imported.reads_bytes
        np.testing.assert_allclose(imported.to_model().logits(images), expected, atol=atol)
        np.testing.assert_allclose(open_onnx(tmp_path / "m.onnx").logits(images), expected, atol=atol)
    cs.export_model(model, tmp_path / "m.h", "c")
    np.testing.assert_allclose(open_c(tmp_path / "m.h").logits(images), expected, atol=atol)
