"""Write a small corpus for each fuzzing entry: valid files in every form that its reader takes.

python fuzz/seeds.py FOLDER        makes FOLDER/idx, FOLDER/npz, ...
"""

import gzip
import io
import json
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

import convscope as cs
from convscope.data.datasets.readers.idx import idx_header
from convscope.engine import initial_weights
from convscope.storage import save_model
from convscope.storage.state_file import save_state
from convscope.training import History, TrainingState

IMAGES = (np.arange(6 * 9) * 5 % 256).astype(np.uint8).reshape(6, 3, 3)
LABELS = np.array([0, 1, 2] * 2)
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16")


def png(number: int) -> bytes:
    """Encode one of `IMAGES` as PNG."""
    return picture(Image.fromarray(IMAGES[number]), "PNG")


def picture(image: Image.Image, kind: str) -> bytes:
    """Encode a picture in one of Pillow's formats."""
    content = io.BytesIO()
    image.save(content, format=kind)
    return content.getvalue()


def zip_file(content: bytes) -> bytes:
    """Make a zip archive of one file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("file", content)
    return packed.getvalue()


def make_small_model() -> cs.Model:
    """Make a model whose file is small."""
    architecture = cs.Architecture(cs.Input(3, 3, 1), (cs.Flatten(), cs.Dense(2, "softmax")), "small")
    return cs.Model(architecture, initial_weights(architecture, 0), ("a", "b"), {"seed": 0}, {"temperature": 1.5})


def read_header(content: bytes) -> bytes:
    """Read the JSON at the head of a safetensors file, without the length before it."""
    return content[8 : 8 + int.from_bytes(content[:8], "little")]


def make_keras_members() -> tuple[bytes, bytes]:
    """Make the description of a small Keras model as JSON, and its weights as HDF5."""
    import h5py

    def layer(kind: str, **config: object) -> dict[str, object]:
        return {"module": "keras.layers", "class_name": kind, "config": {"name": kind.lower(), **config}}

    layers = [
        layer("InputLayer", batch_shape=[None, 3, 3, 1]),
        layer("Rescaling", scale=0.5, offset=-1.0),
        layer(
            "Conv2D", filters=1, kernel_size=[2, 2], strides=[1, 1], padding="same", activation="relu", use_bias=False
        ),
        layer("BatchNormalization", axis=-1, epsilon=0.001, momentum=0.9, scale=False),
        layer("ReLU", max_value=None, negative_slope=0.0, threshold=0.0),
        layer("MaxPooling2D", pool_size=[2, 2], strides=[1, 1], padding="valid"),
        layer("Flatten"),
        layer("Dropout", rate=0.1),
        layer("Dense", units=2, activation="softmax"),
    ]
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for path, shape in (
            ("conv2d/vars/0", (2, 2, 1, 1)),
            *((f"batch_normalization/vars/{i}", (1,)) for i in range(3)),
            ("dense/vars/0", (4, 2)),
            ("dense/vars/1", (2,)),
        ):
            file[f"layers/{path}"] = np.ones(shape, np.float32)
        file["layers/dense/vars"].attrs["name"] = "dense"
    config = {"module": "keras", "class_name": "Sequential", "config": {"name": "small", "layers": layers}}
    return json.dumps(config).encode(), content.getvalue()


def zip_keras_members(config: bytes, weights: bytes) -> bytes:
    """Make the archive that Keras makes of a description and weights."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.15.1"}')
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", weights)
    return packed.getvalue()


PT2_NAMES = ("net/models/model.json", "net/data/weights/model_weights_config.json")
"""The members of an exported program that are parsed."""


def make_pt2_members() -> dict[str, bytes]:
    """Make the members of a small exported program of PyTorch."""
    sys.path.insert(
        0, str(Path(__file__).parent.parent)
    )  # the folder of the package `tests`, which makes such programs
    from tests.interchange.torch_files.programs import Program

    program = Program((None, 1, 4, 4))
    shapes = {"conv.weight": (2, 1, 3, 3), "norm.weight": (2,), "norm.bias": (2,), "head.weight": (2, 8)}
    kernel, scale, mean, dense = (program.weight(name, np.ones(shape, np.float32)) for name, shape in shapes.items())
    maps = program.call("conv2d.default", (None, 2, 4, 4), input="x", weight=kernel, padding=[1, 1])
    normal = program.call("batch_norm.default", (None, 2, 4, 4), input=maps, weight=scale, bias=mean,
                          running_mean=mean, running_var=scale, training=False, momentum=0.1, eps=1e-5)  # fmt: skip
    program.call("relu_.default", (None, 2, 4, 4), self=normal)
    pooled = program.call("max_pool2d.default", (None, 2, 2, 2), self=normal, kernel_size=[2, 2], stride=[])
    flat = program.call("flatten.using_ints", (None, 8), self=pooled, start_dim=1)
    program.outputs.append(program.call("linear.default", (None, 2), input=flat, weight=dense))
    return program.members()


def zip_members(members: Mapping[str, bytes]) -> bytes:
    """Make a zip archive of these members."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def pt2() -> Iterator[bytes]:
    """Yield a program of PyTorch, and the members that are parsed."""
    yield zip_members(make_pt2_members())
    for name in PT2_NAMES:
        yield make_pt2_members()[name]


def tflite() -> Iterator[bytes]:
    """Yield a model of TensorFlow Lite with weights in float32 and in 8 bits."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from tests.interchange.tflite_files.models import Model

    for dtype in ("<f4", "i1"):
        scales = {"scales": np.ones(2), "zero": 1} if dtype == "i1" else {}
        model = Model()
        model.see("x", (1, 4, 4, 1))
        model.constant("k", np.ones((2, 3, 3, 1), dtype), **scales)
        model.constant("b", np.ones(2, "<f4"))
        model.constant("w", np.ones((2, 8), dtype), **scales)
        for name, shape in (("c", (1, 4, 4, 2)), ("p", (1, 2, 2, 2)), ("g", (1, 2)), ("y", (1, 2))):
            model.see(name, shape)
        model.call(3, ["x", "k", "b"], "c", {0: ("b", 0), 1: ("i", 1), 2: ("i", 1), 3: ("b", 1)})
        model.call(17, ["c"], "p", {0: ("b", 1), 1: ("i", 2), 2: ("i", 2), 3: ("i", 2), 4: ("i", 2)})
        model.call(9, ["p", "w"], "g", {})
        model.call(25, ["g"], "y", {0: ("f", 1.0)})
        yield model.bytes()


def idx() -> Iterator[bytes]:
    """Yield IDX files."""
    plain = idx_header(IMAGES.shape) + IMAGES.tobytes()
    yield from (plain, gzip.compress(plain), zip_file(plain))
    yield bytes([0, 0, 0x0C, 1, 0, 0, 0, 6]) + LABELS.astype(">i4").tobytes()


def npz() -> Iterator[bytes]:
    """Yield archives of one split and of two, and with text."""
    for save, arrays in (
        (np.savez, {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES, "y_test": LABELS[:, None]}),
        (np.savez_compressed, {"images": IMAGES.reshape(6, 9), "labels": np.array(["a", "b"] * 3)}),
        (np.savez, {"X": IMAGES, "y": LABELS, "class_names": np.array(["a", "b", "c"])}),
    ):
        content = io.BytesIO()
        save(content, **arrays)
        yield content.getvalue()


def csv() -> Iterator[bytes]:
    """Yield tables of pixels and of names."""
    rows = [f"{label},{','.join(map(str, image.ravel()))}" for label, image in zip(LABELS, IMAGES, strict=True)]
    header = "label," + ",".join(f"pixel{i}" for i in range(9))
    named = "label," + ",".join(f"{row}x{column}" for row in range(3) for column in range(3))
    for lines in ([header, *rows], rows, [named, *rows], [row.replace(",", ";") for row in (header, *rows)]):
        yield "\n".join(lines).encode()
    yield gzip.compress("\n".join([header, *rows]).encode())
    yield b'file,label,split\n0.png,"a, b",train\n1.png,c,train\n0.png,c,test\n'
    yield "\ufeffimage\tclass\r\n0\t1.0\r\n1\t2.0\r\n0\t1\r\n1\t2\r\n".encode()


def parquet() -> Iterator[bytes]:
    """Yield Parquet files of pictures and of lists."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for table in (
        {"image": [{"bytes": png(i), "path": "x"} for i in range(6)], "label": LABELS},
        {"pixels": IMAGES.tolist(), "label": LABELS},
    ):
        content = io.BytesIO()
        pq.write_table(pa.table(table), content)
        yield content.getvalue()


def image() -> Iterator[bytes]:
    """Yield pictures in every format and mode that can be written."""
    grey = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 4)
    for mode in MODES:
        for kind in FORMATS:
            try:
                yield picture(grey.convert(mode), kind)
            except (OSError, ValueError):
                continue  # this format does not know this mode


def safetensors() -> Iterator[bytes]:
    """Yield a model and a training state, and their headers alone."""
    model = make_small_model()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        save_model(model, path)
        yield path.read_bytes()
        yield read_header(path.read_bytes())
        save_state(TrainingState(model.weights, {}, History.from_rows([])), path)
        yield path.read_bytes()
        yield read_header(path.read_bytes())


def keras() -> Iterator[bytes]:
    """Yield a Keras model as an archive, as HDF5 of Keras 2, and its description and weights alone."""
    import h5py

    config, weights = make_keras_members()
    yield from (zip_keras_members(config, weights), config, weights)
    chain = json.loads(config)["config"]["layers"]
    names = [layer["config"]["name"] for layer in chain]
    for layer, before in zip(chain, [None, *names], strict=False):
        layer["name"] = layer["config"]["name"]
        layer["inbound_nodes"] = [[[before, 0, 0, {}]]] if before else []
    graph = {"layers": chain, "input_layers": [[names[0], 0, 0]], "output_layers": [[names[-1], 0, 0]]}
    yield json.dumps({"class_name": "Functional", "config": {"name": "graph", **graph}}).encode()
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.attrs["model_config"] = config.decode()
        file.create_group("model_weights").attrs["layer_names"] = [b"conv2d", b"batchnormalization", b"dense"]
        for name, stored in (
            ("conv2d", {"kernel:0": (2, 2, 1, 1)}),
            ("batchnormalization", {"beta:0": (1,), "moving_mean:0": (1,), "moving_variance:0": (1,)}),
            ("dense", {"kernel:0": (4, 2), "bias:0": (2,)}),
        ):
            group = file["model_weights"].create_group(name)
            group.attrs["weight_names"] = [f"{name}/{weight}".encode() for weight in stored]
            for weight, shape in stored.items():
                group[f"{name}/{weight}"] = np.ones(shape, np.float32)
    yield content.getvalue()


def onnx() -> Iterator[bytes]:
    """Yield a network of ours with and without folding, and one as another program writes it."""
    from onnx import TensorProto, helper

    from convscope.export.onnx import write_onnx

    layers = (
        cs.Conv2D(2, 3, padding="same", activation="gelu"),
        cs.BatchNormalization(),
        cs.Add("conv2d", "relu"),
        cs.DepthwiseConv2D(2, 2, activation="leaky_relu"),
        cs.AveragePooling2D(2, padding="same"),
        cs.Flatten(),
        cs.Dense(2, "softmax"),
    )
    architecture = cs.Architecture(cs.Input(4, 4), layers, "small")
    model = cs.Model(architecture, initial_weights(architecture, 0), ("a", "b"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        for fold, opset in ((False, 15), (True, 20)):
            write_onnx(model, path, fold=fold, opset=opset)
            yield path.read_bytes()
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Constant", [], ["i"], value_ints=[0]),
        helper.make_node("Gather", ["s", "i"], ["n"]),
        helper.make_node("Concat", ["n", "r"], ["t"], axis=0),
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[2, 3], keepdims=1),
        helper.make_node("Reshape", ["m", "t"], ["f"]),
        helper.make_node("MatMul", ["f", "k"], ["d"]),
        helper.make_node("Add", ["d", "b"], ["y"]),
    ]
    constants = [
        helper.make_tensor("r", TensorProto.INT64, [1], [-1]),
        helper.make_tensor("k", TensorProto.FLOAT, [3, 2], [1.0] * 6),
        helper.make_tensor("b", TensorProto.FLOAT16, [2], [1.0] * 2),
    ]
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 4, 4])
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2])
    graph = helper.make_graph(nodes, "other", [image], [output], constants)
    yield helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]).SerializeToString()


ENTRIES = {
    function.__name__: function for function in (idx, npz, csv, parquet, image, safetensors, keras, pt2, tflite, onnx)
}


def write_seeds(folder: Path) -> None:
    """Write the corpora of all entries into a folder each."""
    for name, seeds in ENTRIES.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number, content in enumerate(seeds()):
            (folder / name / f"seed-{number:02}").write_bytes(content)


if __name__ == "__main__":
    write_seeds(Path(sys.argv[1]))
