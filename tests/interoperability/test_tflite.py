"""Models exported as TFLite files: the logits of an interpreter in each number type, and files that are refused."""

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from tests.random_networks import random_images, random_model, random_weights

import convscope as cs
from convscope import Model
from convscope.architecture import ActivationName, Architecture, Conv2D, Dense, DepthwiseConv2D, Flatten, Input
from convscope.base.errors import ConvscopeError
from convscope.export.quantization_loss import measure_layers_in_int8
from convscope.export.tflite import open_tflite, write_tflite

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # TensorFlow warns while it is imported
    import tensorflow as tf


def make_model(architecture: Architecture) -> Model:
    weights = random_weights(architecture, np.random.default_rng(0))
    return Model(architecture, weights, tuple(str(k) for k in range(architecture.num_classes)))


def small_network() -> Model:
    return make_model(Architecture(Input(6, 5), (Conv2D(4, 3, activation="relu"), Flatten(), Dense(3, "softmax"))))


@pytest.fixture(scope="module")
def trained(small_mnist: cs.Splits) -> Model:
    return cs.train(cs.presets.cnn, small_mnist.train, cs.Recipe(epochs=4))[0]


@pytest.mark.parametrize("seed", range(8))
def test_random_networks_give_the_same_logits_in_every_type(seed: int, tmp_path: Path) -> None:
    # Logits are up to about 5. The largest differences over seeds 0 to 110 in two interpreters: 2e-5, 0.01 and 0.55.
    rng = np.random.default_rng(seed)
    model = random_model(rng, for_8_bits=True)
    images = random_images(model.architecture, rng, 60)
    expected = model.logits(images)
    write_tflite(model, tmp_path / "float32.tflite")
    write_tflite(model, tmp_path / "float16.tflite", dtype="float16")
    write_tflite(model, tmp_path / "int8.tflite", dtype="int8", calibration_images=images)
    differences = {
        dtype: np.abs(open_tflite(tmp_path / f"{dtype}.tflite").logits(images) - expected)
        for dtype in ("float32", "float16", "int8")
    }
    assert differences["float32"].max() < 3e-5
    assert differences["float16"].max() < 0.02
    assert differences["int8"].max() < 0.4
    assert differences["int8"].mean() < 0.1
    simulated = measure_layers_in_int8(model, images, images, "tflite").total.largest
    assert simulated == pytest.approx(differences["int8"].max(), rel=0.5)


@pytest.mark.parametrize("seed", range(4))
def test_files_in_every_type_are_read_back(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    model = random_model(rng, for_8_bits=True)
    images = random_images(model.architecture, rng, 40)
    expected = model.logits(images)
    for dtype, tolerance in (("float32", 3e-5), ("float16", 0.02), ("int8", 0.4)):
        path = tmp_path / f"{dtype}.tflite"
        write_tflite(model, path, dtype=dtype, calibration_images=images)
        read = cs.import_model(path)
        assert np.abs(read.logits(images) - expected).max() < tolerance, dtype
        notes = read.provenance["imported"]["notes"]
        assert any("computes in whole numbers" in note for note in notes) == (dtype == "int8")


def test_normalizations_and_activations_are_read_back(tmp_path: Path) -> None:
    names = [name for name in get_args(ActivationName) if name not in ("linear", "softmax")]
    layers = [layer for name in names for layer in (Conv2D(6, 1), cs.GroupNormalization(2, 0.01), cs.Activation(name))]
    model = make_model(Architecture(Input(6, 5), (*layers, cs.LayerNormalization(), Flatten(), Dense(3, "softmax"))))
    write_tflite(model, tmp_path / "m.tflite")
    read = cs.import_model(tmp_path / "m.tflite")
    images = random_images(model.architecture, np.random.default_rng(0), 20)
    np.testing.assert_allclose(read.logits(images), model.logits(images), atol=1e-4)
    kinds = [layer.kind for layer in read.architecture.layers]
    assert (kinds.count("GroupNormalization"), kinds.count("LayerNormalization")) == (len(names), 1)


@pytest.mark.parametrize("kind", [Conv2D, DepthwiseConv2D])
def test_strided_convolutions_are_padded_as_in_convscope(kind: type, tmp_path: Path) -> None:
    for kernel, strides in (((1, 1), (2, 2)), ((1, 5), (3, 3)), ((2, 3), (3, 4)), ((4, 1), (1, 3))):
        window = {"strides": strides, "padding": "same"}
        layer = kind(2, kernel, **window) if kind is Conv2D else kind(kernel, **window)
        model = make_model(Architecture(Input(14, 11, 3), (layer, Flatten(), Dense(2))))
        images = random_images(model.architecture, np.random.default_rng(0), 3)
        write_tflite(model, tmp_path / "model.tflite")
        assert np.abs(open_tflite(tmp_path / "model.tflite").logits(images) - model.logits(images)).max() < 1e-5


@pytest.mark.parametrize("activation", ["relu", "relu6"])
def test_a_relu_after_a_gelu_is_converted(activation: Any, tmp_path: Path) -> None:
    relu = cs.architecture.Activation(activation)
    model = make_model(Architecture(Input(7, 6), (Conv2D(3, 3, activation="gelu"), relu, Flatten(), Dense(2))))
    images = random_images(model.architecture, np.random.default_rng(0), 3)
    write_tflite(model, tmp_path / "model.tflite")
    assert np.abs(open_tflite(tmp_path / "model.tflite").logits(images) - model.logits(images)).max() < 3e-5


@pytest.mark.parametrize(("channels", "classes"), [(3, 101), (1, 2)])
def test_a_file_computes_logits_for_any_number_of_images(channels: int, classes: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    model = random_model(rng, (11, 14), channels, classes)
    write_tflite(model, tmp_path / "model.tflite")
    opened = open_tflite(tmp_path / "model.tflite")
    assert opened.runtime.startswith(("LiteRT ", "TensorFlow Lite of TensorFlow "))
    for count in (3, 1, 300):
        images = random_images(model.architecture, rng, count)
        logits = opened.logits(images)
        assert logits.shape == (count, classes)
        assert logits.dtype == np.float32
        assert np.abs(logits - model.logits(images)).max(initial=0) < 1e-5


def test_the_signature_gives_logits_and_their_softmax_by_name(tmp_path: Path) -> None:
    model = small_network()
    write_tflite(model, tmp_path / "model.tflite")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = tf.lite.Interpreter(str(tmp_path / "model.tflite")).get_signature_runner()
    images = random_images(model.architecture, np.random.default_rng(0), 5)
    answers = run(images=images)
    assert sorted(answers) == ["logits", "probabilities"]
    assert np.abs(answers["probabilities"] - model.probabilities(images)).max() < 1e-6


def test_a_trained_network_keeps_its_predictions_in_fewer_bits(
    trained: Model, small_mnist: cs.Splits, tmp_path: Path
) -> None:
    images, size = small_mnist.test.images, {}
    for dtype, agreed in (("float32", 1.0), ("float16", 0.99), ("int8", 0.97)):
        path = tmp_path / f"{dtype}.tflite"
        write_tflite(trained, path, dtype=dtype, calibration_images=small_mnist.train.images[:100])
        size[dtype] = path.stat().st_size
        assert (open_tflite(path).logits(images).argmax(axis=1) == trained.predict(images)).mean() >= agreed, dtype
    assert 0.45 < size["float16"] / size["float32"] < 0.55
    assert 0.24 < size["int8"] / size["float32"] < 0.32


def test_int8_layers_compute_in_integers_and_keep_input_bytes(tmp_path: Path) -> None:
    model = small_network()
    images = np.clip(random_images(model.architecture, np.random.default_rng(0), 30), 20, 200)
    kept = images.copy()
    write_tflite(model, tmp_path / "model.tflite", dtype="int8", calibration_images=images)
    assert np.array_equal(images, kept)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        interpreter = tf.lite.Interpreter(str(tmp_path / "model.tflite"))
    assert interpreter.get_signature_runner().get_input_details()["images"]["quantization"] == (1.0, 0)
    floats = [tensor["name"] for tensor in interpreter.get_tensor_details() if tensor["dtype"] is np.float32]
    assert len(floats) == 2, floats  # the two outputs
    memory = open_tflite(tmp_path / "model.tflite").memory
    assert memory is not None
    # The maps (4, 3, 4) and the same 48 numbers as a vector; the image and the maps are fewer: 30 + 48.
    assert (memory.flash_bytes, memory.arena_bytes) == ((tmp_path / "model.tflite").stat().st_size, 96)


QUIET = """
import os, sys, warnings
from pathlib import Path
import numpy as np
from convscope import Model, presets
from convscope.engine import initial_weights
from convscope.export.quantization_loss import measure_layers_in_int8
from convscope.export.tflite import open_tflite, write_tflite
architecture = presets.cnn()
model = Model(architecture, initial_weights(architecture, 0), tuple("0123456789"))
before = dict(os.environ), list(warnings.filters)
write_tflite(model, Path(sys.argv[1]))
open_tflite(Path(sys.argv[1])).logits(np.zeros((3, 28, 28, 1), np.uint8))
assert before == (dict(os.environ), list(warnings.filters))
print("the end", file=sys.stderr)
"""


@pytest.mark.slow
def test_only_convscope_prints_and_stderr_is_restored(tmp_path: Path) -> None:
    completed = subprocess.run(
        [sys.executable, "-c", QUIET, str(tmp_path / "model.tflite")], capture_output=True, text=True, check=False
    )
    assert (completed.returncode, completed.stdout, completed.stderr) == (0, "", "the end\n")


@pytest.mark.parametrize("content", [b"", b"TFL3", bytes(1000), b"\x1c\x00\x00\x00TFL3" + bytes(100)])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(content)
    for name in ("model.tflite", "nothing.tflite"):
        with pytest.raises(ConvscopeError, match=f"{name}: is not a TFLite file of convscope"):
            open_tflite(tmp_path / name)


def test_a_file_holds_no_path_of_this_machine(tmp_path: Path) -> None:
    write_tflite(small_network(), tmp_path / "model.tflite")
    content = (tmp_path / "model.tflite").read_bytes()
    for folder in (str(Path(__file__).parents[2]), sys.prefix, str(tmp_path.parent)):
        assert folder.encode() not in content


def test_without_tensorflow_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.tflite").write_bytes(b"")
    for package in ("tensorflow", "ai_edge_litert"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConvscopeError, match=r'TensorFlow is not installed; run pip install ".*tensorflow'):
        write_tflite(small_network(), tmp_path / "model.tflite")
    with pytest.raises(ConvscopeError, match=r'TensorFlow is not installed; run pip install ".*tensorflow'):
        open_tflite(tmp_path / "model.tflite")
