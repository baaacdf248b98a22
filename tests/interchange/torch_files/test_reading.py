"""Exported programs of PyTorch are read as networks, without PyTorch; damaged ones give one clear error each."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from tests.interchange.torch_files.programs import Program, write_archive
from tests.shared import assert_refused_wherever_it_ends

import convscope as cs
from convscope.base.errors import InterchangeError
from convscope.interchange.torch_files.reading import read_torch

RNG = np.random.default_rng(7)
KERNEL, BIAS, DENSE = (RNG.normal(0, 0.4, shape).astype(np.float32) for shape in ((3, 2, 3, 3), (3,), (4, 36)))


def add_network(program: Program, head: str = "linear") -> Program:
    """Add a convolution, a ReLU, a pooling and a dense layer to a program."""
    kernel, bias = program.weight("block.conv.weight", KERNEL), program.weight("block.conv.bias", BIAS)
    dense = program.weight("head.weight", DENSE)
    maps = program.call("conv2d.default", (None, 3, 9, 7), input="x", weight=kernel, bias=bias, padding=[1, 1])
    program.call("relu_.default", (None, 3, 9, 7), self=maps)  # in place, so later calls read `maps`
    pooled = program.call("max_pool2d.default", (None, 3, 4, 3), self=maps, kernel_size=[2, 2], stride=[])
    flat = program.call("flatten.using_ints", (None, 36), self=pooled, start_dim=1)
    if head == "linear":
        logits = program.call("linear.default", (None, 4), input=flat, weight=dense)
    else:  # the operators of a decomposed program
        transposed = program.call("permute.default", (36, 4), self=dense, dims=[1, 0])
        logits = program.call("mm.default", (None, 4), self=flat, mat2=transposed)
    program.outputs.append(program.call("softmax.int", (None, 4), self=logits, dim=-1))
    return program


def test_one_sigmoid_becomes_two_classes(tmp_path: Path):
    program = Program()
    kernel = program.weight("head.weight", RNG.normal(0, 0.1, (1, 126)).astype(np.float32))
    flat = program.call("flatten.using_ints", (None, 126), self="x", start_dim=1)
    logit = program.call("linear.default", (None, 1), input=flat, weight=kernel)
    program.outputs.append(program.call("sigmoid.default", (None, 1), self=logit))
    logits = cs.import_model(program.save(tmp_path), scaling=cs.Scaling()).logits(IMAGES)
    expected = IMAGES.transpose(0, 3, 1, 2).reshape(5, -1) / 255 @ program.weights["head.weight"].T
    np.testing.assert_allclose(logits, np.concatenate([0 * expected, expected], axis=1), atol=1e-5)


def make_expected_model() -> cs.Model:
    """Build a convscope model that computes the same as `add_network`."""
    layers = (
        cs.Conv2D(3, 3, padding="same", activation="relu", name="block_conv"),
        cs.MaxPooling2D(2),
        cs.Flatten(),
        cs.Dense(4, "softmax", use_bias=False, name="head"),
    )
    rows = np.arange(36).reshape(3, 4, 3).transpose(1, 2, 0).ravel()  # from the order C, H, W to H, W, C
    weights = {
        "block_conv/kernel": np.ascontiguousarray(KERNEL.transpose(2, 3, 1, 0)),
        "block_conv/bias": BIAS,
        "head/kernel": np.ascontiguousarray(DENSE.T[rows]),
    }
    return cs.Model(cs.Architecture(cs.Input(9, 7, 2), layers), weights, tuple("0123"))


IMAGES = np.random.default_rng(0).integers(0, 256, (5, 9, 7, 2), dtype=np.uint8)


def test_a_program_gives_the_same_network(tmp_path: Path):
    read = cs.import_model(add_network(Program()).save(tmp_path), scaling=cs.Scaling())
    assert [layer.name for layer in read.architecture.layers][::3] == ["block_conv", "head"]
    np.testing.assert_allclose(read.logits(IMAGES), make_expected_model().logits(IMAGES), atol=1e-5)
    assert read.provenance["imported"]["program"] == "PyTorch 2.13.0"


def test_a_decomposed_program_gives_the_same(tmp_path: Path):
    read = cs.import_model(add_network(Program(), "mm").save(tmp_path), scaling=cs.Scaling())
    np.testing.assert_allclose(read.logits(IMAGES), make_expected_model().logits(IMAGES), atol=1e-5)


def test_class_names_of_convscope_are_kept(tmp_path: Path):
    program = add_network(Program())
    for names, expected in ((["a", "b", "ü", "d"], ("a", "b", "ü", "d")), (["a"], None)):
        program.class_names = names
        assert read_torch(program.save(tmp_path)).class_names == expected


def test_bytes_and_scales_are_taken_as_in_onnx_files(tmp_path: Path):
    program = Program((None, 2, 9, 7), "uint8")
    dense = program.weight("head.weight", RNG.normal(size=(4, 126)).astype(np.float32))
    number = program.call("to.dtype", (None, 2, 9, 7), self="x", dtype=7)
    scaled = program.call("div.Tensor", (None, 2, 9, 7), self=number, other=255)
    flat = program.call("view.default", (None, 126), self=scaled)
    program.outputs.append(program.call("linear.default", (None, 4), input=flat, weight=dense))
    read = read_torch(program.save(tmp_path))
    image = read.architecture.input
    np.testing.assert_allclose((image.scale, image.offset), (1 / 255, 0), rtol=1e-6)
    assert read.reads_bytes
    assert not read_torch(add_network(Program()).save(tmp_path)).reads_bytes


def test_in_place_changes_of_a_keras_model_are_read(tmp_path: Path):
    program = add_network(Program())
    assert read_torch(program.save(tmp_path)).architecture.layers[0].activation == "relu"
    flat = program.nodes[3]["outputs"][0]["as_tensor"]["name"]
    program.call("tanh_.default", (None, 36), self=flat)
    program.outputs = [program.call("linear.default", (None, 4), input=flat, weight="p_head_weight")]
    kinds = [layer.kind for layer in read_torch(program.save(tmp_path)).architecture.layers]
    assert kinds == ["Conv2D", "MaxPooling2D", "Flatten", "Activation", "Dense"]
    pooled = program.nodes[2]["outputs"][0]["as_tensor"]["name"]
    again = program.call("flatten.using_ints", (None, 36), self=pooled, start_dim=1)
    program.outputs = [program.call("linear.default", (None, 4), input=again, weight="p_head_weight")]
    with pytest.raises(InterchangeError, match="is read after a part of it was changed in place"):
        read_torch(program.save(tmp_path))


def _add_after_convolution(program: Program, target: str, **arguments) -> None:
    kernel = program.weight("conv.weight", KERNEL)
    maps = program.call("conv2d.default", (None, 3, 9, 7), input="x", weight=kernel, padding=[1, 1])
    program.outputs.append(program.call(target, (None, 3, 9, 7), self=maps, **arguments))


REFUSED = {
    "an unknown operator": ("mish.default", {}, r"'mish_1' \(aten.mish.default\) is not supported: no layer does"),
    "a denoiser": ("relu.default", {}, "is 3 x 9 x 7 numbers for each image.* denoiser"),
    "another divisor": ("avg_pool2d.default", {"kernel_size": [2, 2], "divisor_override": 3}, "not supported"),
    "whole numbers": ("add.Tensor", {"result": "int64", "other": 1}, "not supported"),
    "training": ("batch_norm.default",
        {"weight": None, "bias": None, "running_mean": "x", "running_var": "x", "training": True}, "training mode"),
    "a softmax over pixels": ("softmax.int", {"dim": 2}, "goes over axis 2"),
    "an uneven adaptive pooling": ("adaptive_avg_pool2d.default", {"output_size": [2, 2]}, "is not supported"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_unsupported_operators_are_named(name: str, tmp_path: Path):
    target, arguments, message = REFUSED[name]
    program = Program()
    _add_after_convolution(program, target, **arguments)
    if name != "a denoiser":  # a denoiser is recognised by its sizes
        program.values[program.outputs[0]]["sizes"] = program.values["x"]["sizes"][:1] + [{"as_int": 1}] * 3
    path = program.save(tmp_path)
    with pytest.raises(InterchangeError, match=message) as caught:
        read_torch(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


MODEL, CONFIG, WEIGHT = (
    f"net/{name}" for name in ("models/model.json", "data/weights/model_weights_config.json", "data/weights/weight_0")
)


def _two_inputs(members: dict[str, bytes]) -> None:
    document = json.loads(members[MODEL])
    specs = document["graph_module"]["signature"]["input_specs"]
    specs.append(specs[-1])
    members[MODEL] = json.dumps(document).encode()


def _no_axes(members: dict[str, bytes]) -> None:
    """Describe a value as without axes, and permute its axes."""
    document = json.loads(members[MODEL])
    graph = document["graph_module"]["graph"]
    node = graph["nodes"][1]
    node["target"] = "torch.ops.aten.permute.default"
    node["inputs"].append({"name": "dims", "arg": {"as_ints": [1]}})
    graph["tensor_values"][node["inputs"][0]["arg"]["as_tensor"]["name"]]["sizes"] = []
    members[MODEL] = json.dumps(document).encode()


def _make_older(members: dict[str, bytes]) -> None:
    members.clear()
    members["serialized_exported_program.json"] = b"{}"


# Changes of members: None removes a member, a pair replaces a text in it, bytes replace it.
DAMAGED = "its description of the program is damaged"
BAD: dict[str, tuple[Any, str]] = {
    "no weight": ({WEIGHT: None}, "has no net/data/weights/weight_0"),
    "a short weight": (lambda members: members.update({WEIGHT: members[WEIGHT][:-4]}),
        "weight 'block.conv.weight' is damaged: it needs 54 numbers of float32, but its storage has 53"),
    "a pickled weight": ({CONFIG: ('"use_pickle": false', '"use_pickle": true')}, "it is missing, or pickled"),
    "a negative stride": ({CONFIG: ('"as_int": 18', '"as_int": -18')}, "its shape is .* with strides"),
    "no JSON": ({MODEL: b"{"}, "is not JSON"),
    "deep JSON": ({MODEL: b'{"a":' * 50_000}, "nested too deeply"),
    "no graph": ({MODEL: b'{"graph_module": {}}'}, DAMAGED),
    "two programs": ({"net/models/other.json": b"{}"}, "holds 2 programs"),
    "two inputs": (_two_inputs, "it has 2 inputs"),
    "changed weights": ({MODEL: ('"user_output"', '"buffer_mutation"')}, "as in training; export network.eval"),
    "no axes": (_no_axes, DAMAGED),
    "a missing name": ({MODEL: ('{"name": "conv2d_0"}', '{"name": "nothing"}')}, DAMAGED),
    "PyTorch 2.8": ({"net/data/weights/model.pt": b""}, "is a program of PyTorch 2.8 or earlier"),
    "PyTorch 2.7": (_make_older, "is a program of PyTorch 2.8 or earlier"),
    "a climbing path": ({"net/../../x": b""}, "whose path leaves the archive"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_damaged_or_hostile_file_is_one_clear_error(case: str, tmp_path: Path):
    members, (change, message) = add_network(Program()).members(), BAD[case]
    if callable(change):
        change(members)
    else:
        for name, value in change.items():
            if isinstance(value, tuple):
                assert value[0].encode() in members[name]
                value = members[name].replace(*map(str.encode, value))
            members[name] = value
    path = write_archive({name: value for name, value in members.items() if value is not None}, tmp_path / "net.pt2")
    with pytest.raises(InterchangeError, match=message) as caught:
        read_torch(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path):
    assert_refused_wherever_it_ends(add_network(Program()).save(tmp_path), read_torch, InterchangeError, 499)


VALUES = [None, True, -1, 0, 2**63, "", "x", "conv2d_0", [], {}, {"as_int": -5}, {"as_expr": {}}, {"as_none": True}]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["net/models/model.json", "net/data/weights/model_weights_config.json"])
def test_a_changed_description_is_read_or_refused_without_another_error(name: str, tmp_path: Path):
    random = Random(5)
    members = add_network(Program()).members()
    for _ in range(200):
        document = json.loads(members[name])
        for _ in range(random.randint(1, 3)):
            container, key = random.choice(list(_list_entries(document)))
            container[key] = random.choice(VALUES)
        path = write_archive(members | {name: json.dumps(document).encode()}, tmp_path / "net.pt2")
        try:
            read_torch(path)
        except InterchangeError as error:
            assert "\n" not in str(error)  # noqa: PT017 (either outcome is right)


def _list_entries(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (container, key) for every entry of the lists and objects in a JSON document."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _list_entries(value[key])
