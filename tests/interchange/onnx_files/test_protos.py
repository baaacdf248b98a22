"""What a file may not do: every one of these is one clear error, and takes neither time nor memory."""

import time
from pathlib import Path

import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from tests.interchange.onnx_files.conftest import with_weights
from tests.interchange.onnx_files.graphs import node, numbers, proto, save

import convscope as cs
from convscope.base.errors import InterchangeError
from convscope.interchange.onnx_files import open_onnx, read_onnx, write_onnx
from convscope.interchange.onnx_files.wire import MAX_FIELDS, check_wire

BASE = [node("Conv", "x w", "m"), node("Flatten", "m", "f"), node("Gemm", "f k", "y")]


def _good() -> onnx.ModelProto:
    return proto(BASE, {"w": numbers(3, 2, 3, 3), "k": numbers(105, 4)})


def _external(model: onnx.ModelProto) -> None:
    weight = model.graph.initializer[0]
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="/etc/passwd")


def _external_in_an_attribute(model: onnx.ModelProto) -> None:
    constant = helper.make_node("Constant", [], ["c"], value=TensorProto(dims=[4], data_type=1))
    constant.attribute[0].t.external_data.add(key="location", value="../secret")
    model.graph.node.insert(0, constant)


def _one_dimension_more(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims.append(1 << 40)


def _negative_dimension(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[0] = -3


def _text_as_weights(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].data_type = TensorProto.STRING


def _too_few_floats(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].ClearField("raw_data")
    model.graph.initializer[0].float_data.append(1)


def _circle(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = "f"


def _missing_input(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[1] = "nothing\n"


def _twice_the_same_output(model: onnx.ModelProto) -> None:
    model.graph.node[1].output[0] = "m"


def _no_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = "z"


def _two_inputs(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("x2", 1, [1]))


def _two_outputs(model: onnx.ModelProto) -> None:
    model.graph.output.append(helper.make_tensor_value_info("m", 1, None))


def _text_as_images(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING


def _custom_domain(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "com.example"


def _subgraph(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = "If"
    model.graph.node[0].attribute.append(helper.make_attribute("then_branch", _good().graph))


def _function(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "mine"
    model.functions.append(helper.make_function("mine", "Conv", ["a"], ["b"], [node("Relu", "a", "b")], []))


def _function_called_as_an_operator(model: onnx.ModelProto) -> None:
    model.functions.append(helper.make_function("", "Conv", ["a"], ["b"], [node("Relu", "a", "b")], []))


def _no_opset(model: onnx.ModelProto) -> None:
    del model.opset_import[:]


def _old_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 3


def _wide_image(model: onnx.ModelProto) -> None:
    for dim in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        dim.dim_value = 4096


def _many_filters_of_one_weight(model: onnx.ModelProto) -> None:
    nodes = [node("Conv", f"{'x' if i == 0 else f'c{i - 1}'} w2", f"c{i}", pads=[512] * 4) for i in range(40)]
    model.graph.node[0].input[0] = "c39"
    for each in reversed(nodes):
        model.graph.node.insert(0, each)
    model.graph.initializer.append(onnx.numpy_helper.from_array(numbers(2, 2, 1, 1), "w2"))


def _constants_that_grow(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(onnx.numpy_helper.from_array(numbers(1, 6000), "row"))
    model.graph.initializer.append(onnx.numpy_helper.from_array(numbers(6000, 1), "column"))
    grown = [node("Add", "row column", "g0")] + [node("Add", f"g{i} column", f"g{i + 1}") for i in range(9)]
    for each in reversed([*grown, node("Reshape", "g9 row", "g10")]):
        model.graph.node.insert(0, each)
    model.graph.node[-1].input[1] = "g10"


def _attributes_of_another_type(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute.append(helper.make_attribute("strides", "two"))


BAD = {
    _external: "in '/etc/passwd', and only a file beside it, named without a folder, is read",
    _external_in_an_attribute: "are in another file, though it is no weight of the network",
    _one_dimension_more: "'w' is damaged: it holds 216 bytes",
    _negative_dimension: "'w' is damaged: its shape is",
    _text_as_weights: "not a type of weights",
    _too_few_floats: "cannot reshape array of size 1",
    _circle: "which no node before it provides",
    _missing_input: r"needs 'nothing\\n', which no node before it provides",
    _twice_the_same_output: "one that another node already has",
    _no_output: "output 'z' is not provided by any node",
    _two_inputs: "it has 2 inputs",
    _two_outputs: "it has 2 outputs",
    _text_as_images: "of type 8",
    _custom_domain: "operator of 'com.example'",
    _subgraph: "no layer|nested graphs",
    _function: "operator of 'mine'",
    _function_called_as_an_operator: "defines its own ONNX operators",
    _no_opset: "its opset is",
    _old_opset: r"its opset is \[3\]; one from 7 to 25",
    _wide_image: "the limit is|at most",
    _many_filters_of_one_weight: "needed|at most|the limit is|must have",
    _constants_that_grow: "more computation than a small network",
    _attributes_of_another_type: "strides is b'two', not a list",
}


@pytest.mark.parametrize("change", BAD)
def test_a_hostile_file_is_one_clear_error(change, tmp_path: Path):
    model = _good()
    change(model)
    path = save(model, tmp_path)
    start = time.thread_time()
    with pytest.raises(InterchangeError, match=BAD[change]) as caught:
        read_onnx(path)
    assert time.thread_time() - start < 5
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, bytes(range(256)) * 8, b"\x08\x07", b"\x3a\x00"])
def test_noise_is_refused(content: bytes, tmp_path: Path):
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    for read in (read_onnx, open_onnx):
        with pytest.raises(InterchangeError, match=r"m\.onnx: (damaged|holds no network)"):
            read(path)


def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path):
    content = _good().SerializeToString()
    path = tmp_path / "m.onnx"
    for end in range(0, len(content), 29):
        path.write_bytes(content[:end])
        with pytest.raises(InterchangeError):
            read_onnx(path)


@pytest.mark.slow
def test_parts_are_counted_before_they_are_made():
    nodes = b"\x0a\x00" * (MAX_FIELDS + 1)  # empty nodes, of two bytes each
    varint = bytes([(len(nodes) >> shift & 0x7F) | (0x80 if shift < 21 else 0) for shift in (0, 7, 14, 21)])
    with pytest.raises(ValueError, match="more than 100000 fields"):
        check_wire(b"\x3a" + varint + nodes, onnx.ModelProto.DESCRIPTOR)


def test_messages_within_each_other_are_bounded(tmp_path: Path):
    graph = helper.make_graph([], "g", [], [])
    for _ in range(8):
        outer = helper.make_node("If", [], ["y"])
        outer.attribute.append(helper.make_attribute("then_branch", graph))
        graph = helper.make_graph([outer], "g", [], [])
    path = save(helper.make_model(graph), tmp_path)
    with pytest.raises(InterchangeError, match="deep in each other"):
        read_onnx(path)


def test_a_file_that_runs_but_is_another_network_is_refused_by_open_onnx(tmp_path: Path):
    with pytest.raises(InterchangeError, match="does not read `images`"):
        open_onnx(save(_good(), tmp_path))
    broken = _good()
    broken.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(InterchangeError, match="ONNX Runtime cannot run it"):
        open_onnx(save(broken, tmp_path))
    external = _good()
    _external(external)
    with pytest.raises(InterchangeError, match="only a file beside it"):
        open_onnx(save(external, tmp_path))


CONTENT = None


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_file_is_read_or_refused_and_nothing_else(data: st.DataObject, tmp_path: Path):
    global CONTENT
    if CONTENT is None:
        layers = (cs.Conv2D(2, 3, activation="gelu"), cs.BatchNormalization(), cs.Flatten(), cs.Dense(2))
        write_onnx(with_weights(cs.Architecture(cs.Input(5, 5), layers)), tmp_path / "base.onnx", fold=False)
        CONTENT = (tmp_path / "base.onnx").read_bytes()
    content = bytearray(CONTENT)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        change = data.draw(st.sampled_from(["flip", "cut", "copy"]))
        if change == "flip":
            content[place] = data.draw(st.integers(0, 255))
        elif change == "cut":
            del content[place : place + data.draw(st.integers(1, 8))]
        else:
            content[place:place] = content[place : place + data.draw(st.integers(1, 64))]
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    try:
        imported = read_onnx(path)
    except InterchangeError as error:
        assert "\n" not in str(error)  # noqa: PT017 (either outcome is right)
    else:
        assert imported.weights.keys() == imported.architecture.weight_shapes.keys()
