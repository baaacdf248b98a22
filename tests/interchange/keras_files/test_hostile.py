"""Keras files made to harm: each is refused by name, and nothing in it is run, written or unpacked to much memory."""

import json
import stat
import struct
import subprocess
import sys
import zipfile
from functools import cache
from io import BytesIO

import h5py
import numpy as np
import pytest
from tests.interchange.keras_files.keras_archives import archive, hdf5, image, layer, legacy, sequential, small

from convscope.base.errors import InterchangeError

CONFIG, ARRAYS = small()


def archive_with_layers(*added):
    config = json.loads(json.dumps(CONFIG))
    config["config"]["layers"][1:1] = added
    return archive(config, hdf5(ARRAYS))


LAMBDA = layer(
    "Lambda", "payload", function={"class_name": "__lambda__", "config": {"code": "4wAAAA", "defaults": None}}
)


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (LAMBDA, "'payload' .Lambda.: it holds Python code, which is never run"),
        ({**layer("Evil", "evil"), "module": "os"}, "'evil' .Evil.: it is Python code from outside Keras"),
        ({**layer("Conv2D", "evil"), "module": "builtins"}, "'evil' .Conv2D.: it is Python code from outside Keras"),
        ({**layer("Conv2D", "evil"), "registered_name": "mine>Conv2D"}, "'evil' .Conv2D.: it is Python code"),
        (layer("TFSMLayer", "saved", filepath="/tmp/x"), "'saved' .TFSMLayer.: it loads and runs a program"),
        (layer("TorchModuleWrapper", "torch", module="gASV"), "'torch' .TorchModuleWrapper.: .*pickled"),
        (layer("Activation", "own", activation={"module": "os", "class_name": "function", "config": "system"}),
         "'own' .Activation.: its activation is 'function' of 'os', Python code that is never run"),
        (layer("Activation", "get", activation={"module": "keras.utils", "class_name": "get_file", "config": {}}),
         "Python code that is never run"),
    ],
)  # fmt: skip
def test_code_in_a_file_is_refused_by_the_name_of_its_layer(read, entry, why):
    with pytest.raises(InterchangeError, match=why):
        read(archive_with_layers(entry))


def test_all_unsupported_layers_are_named_at_once(read):
    with pytest.raises(InterchangeError, match="3 of its 6 layers") as error:
        read(archive_with_layers(LAMBDA, layer("LSTM", "memory"), layer("Conv2D", "wide", lora_rank=4)))
    assert all(name in str(error.value) for name in ("'payload'", "'memory'", "'wide'", "lora_rank is 4"))


def test_a_model_of_a_class_of_its_own_is_refused(read):
    with pytest.raises(InterchangeError, match="'MyModel', which is Python code outside Keras"):
        read(archive({**CONFIG, "class_name": "MyModel", "module": "my_package"}, hdf5(ARRAYS)))


@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/etc/passwd", "C:\\evil", "..\\evil", "assets/..", "\\\\host\\x"]
)
def test_members_whose_path_leaves_the_archive_are_refused(read, name):
    with pytest.raises(InterchangeError, match="whose path leaves the archive"):
        read(archive(CONFIG, hdf5(ARRAYS), **{name: b"x"}))


def test_a_symbolic_link_is_refused(read):
    content = BytesIO(archive(CONFIG, hdf5(ARRAYS)))
    link = zipfile.ZipInfo("assets/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(content, "a") as file:
        file.writestr(link, "/etc/passwd")
    with pytest.raises(InterchangeError, match="'assets/link', a symbolic link"):
        read(content.getvalue())


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_refused(read):
    content = BytesIO(archive(CONFIG, hdf5(ARRAYS)))
    with zipfile.ZipFile(content, "a") as file:
        file.writestr("config.json", json.dumps(sequential()))
    with pytest.raises(InterchangeError, match=r"two members called 'config.json'"):
        read(content.getvalue())


def test_many_members_are_refused(read):
    with pytest.raises(InterchangeError, match="4,203 members"):
        read(archive(CONFIG, hdf5(ARRAYS), **{f"assets/{i}": b"" for i in range(4200)}))


def test_a_damaged_member_is_found_by_its_checksum(read):
    content = bytearray(archive(CONFIG, hdf5(ARRAYS)))
    content[content.index(np.float32(ARRAYS["layers/dense/vars/1"]).tobytes())] ^= 1
    with pytest.raises(InterchangeError, match=r"model.weights.h5 is damaged"):
        read(bytes(content))


@pytest.mark.parametrize("kept", [0, 3, 30, 500, -1, -30])
def test_a_file_cut_short_is_refused(read, kept):
    for content in (archive(CONFIG, hdf5(ARRAYS)), legacy(CONFIG, {("dense_2", "dense_2/kernel:0"): np.ones((2, 2))})):
        with pytest.raises(InterchangeError):
            read(content[:kept])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"a": ' * 100_000, "nested too deeply"),
        ("[" * 1_000_000, "nested too deeply"),
        ('{"a": "' + "x" * (1 << 22) + '"}', "at most 4,194,304"),
        ('{"config": NaN}', "NaN is not a number"),
        ("[1]", "is not a JSON object"),
        ("{", "is not JSON"),
        ('{"class_name": "Sequential"}', "has no list of layers"),
        ('{"class_name": "Sequential", "config": {"layers": []}}', "has no layers"),
        ('{"class_name": "Sequential", "config": {"layers": [1]}}', "has no list of layers"),
    ],
)
def test_hostile_descriptions_are_refused(read, text, why):
    with pytest.raises(InterchangeError, match=why):
        read(archive(text, hdf5(ARRAYS), zipfile.ZIP_DEFLATED))


def test_models_within_models_without_end_are_refused(read):
    config = CONFIG
    for _ in range(40):
        config = sequential(config)
    with pytest.raises(InterchangeError, match="more than 16 levels deep"):
        read(archive(config, hdf5(ARRAYS)))


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (image(1 << 40, 1 << 40, 1), "which is not an image shape"),
        (image(100_000, 100_000, 1), "from 1 to 4096"),
        (layer("Dense", "dense", units=1 << 40), "units is 1099511627776"),
        (layer("Conv2D", "conv2d", filters=65536, kernel_size=[1024, 1024], padding="same"),
         "more computation than a small network"),
        (layer("Conv2D", "conv2d", filters="many", kernel_size=3), "filters is 'many'"),
        (layer("Reshape", "reshape", target_shape=[1 << 40, -1]), "does not fit"),
    ],
)  # fmt: skip
def test_shapes_that_no_network_has_are_refused_before_anything_is_made(read, entry, why):
    config = json.loads(json.dumps(CONFIG))
    index = 0 if entry["class_name"] == "InputLayer" else 1
    config["config"]["layers"][index : index + (index == 0)] = [entry]
    with pytest.raises(InterchangeError, match=why):
        read(archive(config, hdf5(ARRAYS)))


def store_in_another_file(file):
    del file["layers/dense/vars/1"]
    file["layers/dense/vars"].create_dataset("1", (3,), "f4", external=[("/etc/passwd", 0, 12)])


def make_virtual(file):
    del file["layers/dense/vars/1"]
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (3,))
    file["layers/dense/vars"].create_virtual_dataset("1", layout)


def add_huge_array(file):
    file.create_dataset("layers/huge", (1 << 50,), "f4")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda file: file.__setitem__("layers/soft", h5py.SoftLink("/layers/dense")), "a soft link"),
        (lambda file: file.__setitem__("layers/external", h5py.ExternalLink("/etc/passwd", "/")),
         "links in the newer format|an external|a soft link|is damaged"),
        (store_in_another_file, "stored in another file"),
        (make_virtual, "layout version 4|virtual array|newer format"),
        (lambda file: file.create_dataset("layers/bomb", (1 << 26,), "f4", chunks=(1 << 20,), compression="gzip"),
         "compressed or filtered|stored in chunks"),
        (lambda file: file.create_dataset("layers/huge", (1 << 40,), "f4", chunks=(1 << 10,)), "stored in chunks"),
        (add_huge_array, "without bytes"),
        (lambda file: file.create_dataset("layers/reference", data=[file["layers"].ref], dtype=h5py.ref_dtype),
         "references to other objects"),
        (lambda file: file.__setitem__("layers/again", file["layers/dense"]), "one object under two names"),
        (lambda file: file.__setitem__("layers/type", np.dtype("f4")), "a named data type"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_unusual_hdf5_objects_are_refused_by_name(read, change, why):
    with pytest.raises(InterchangeError, match=why):
        read(archive(CONFIG, hdf5(ARRAYS, change=change)))


def test_hdf5_of_the_newer_format_is_refused(read):
    with pytest.raises(InterchangeError, match=r"newer format .libver='latest'."):
        read(hdf5(ARRAYS, libver="latest"))


@pytest.mark.parametrize(
    ("path", "array", "why"),
    [
        ("layers/dense/vars/1", np.full(3, np.nan, np.float32), "not finite"),
        ("layers/dense/vars/1", np.ones(3, np.int32), "holds whole numbers, not floats"),
        ("layers/dense/vars/1", np.array([b"a", b"b", b"c"]), "holds text, not floats"),
        ("layers/dense/vars/1", np.ones(4, np.float32), r"has the shape \(4,\)"),
        ("layers/dense/vars/1", None, "is missing"),
        ("layers/dense/vars/2", np.ones(3, np.float32), "a weight '2' that its configuration does not have"),
        ("layers/dense_1/vars/0", np.ones(3, np.float32), "belong to no layer"),
    ],
)
def test_weights_that_do_not_fit_the_layers_are_refused(read, path, array, why):
    arrays = {**ARRAYS, path: array}
    with pytest.raises(InterchangeError, match=why):
        read(archive(CONFIG, hdf5({name: value for name, value in arrays.items() if value is not None})))


def test_metrics_and_optimizer_of_a_nested_model_are_no_weights(read):
    """Keras 2.13 stores both among the layers of a nested model that was compiled."""
    others = {f"layers/sequential/{part}/vars/0": np.ones(3, np.float32) for part in ("metrics/mean", "optimizer")}
    network = read(archive(CONFIG, hdf5({**ARRAYS, **others})))
    assert network.weights.keys() == read(archive(CONFIG, hdf5(ARRAYS))).weights.keys()


def test_overlapping_arrays_are_refused(read):
    names = ["dense", *(f"dense_{i}" for i in range(1, 9))]
    config = sequential(
        image(60, 1, 1),
        layer("Flatten", "flatten"),
        *(layer("Dense", name, units=60, use_bias=False) for name in names),
    )

    def promise(file):
        for name in names[1:]:
            file.create_dataset(f"layers/{name}/vars/0", (60, 60), "f4")

    first = {"layers/dense/vars/0": np.ones((60, 60), np.float32)}
    content = hdf5(first, change=promise)
    with h5py.File(BytesIO(content)) as file:
        offset = file["layers/dense/vars/0"].id.get_offset()
    # Arrays without bytes have the address 2^64 - 1; all of them get the bytes of the first, 60 · 60 · 4.
    content = content.replace(struct.pack("<QQ", 2**64 - 1, 14400), struct.pack("<QQ", offset, 14400))
    with pytest.raises(InterchangeError, match="overlap"):
        read(archive(config, content))


# Reads each file in a forked process, and prints the error and the growth of the peak memory in MiB.
READ_AND_MEASURE = """
import json, os, sys
from convscope.base.errors import InterchangeError
from convscope.interchange.keras_files import read_keras
from convscope.training.memory import peak_memory_bytes
for path in sys.argv[1:]:
    if child := os.fork():
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        continue
    before, message = peak_memory_bytes(), ""
    try:
        read_keras(path)
    except InterchangeError as error:
        message = str(error)
    print(json.dumps([message, (peak_memory_bytes() - before) >> 20]), flush=True)
    os._exit(0)
"""


@cache
def add_zeros(name):
    """Return a `.keras` file with a member of 32 MiB of zeros, deflated to a thousandth."""
    content = BytesIO(archive(CONFIG, None))
    with zipfile.ZipFile(content, "a") as file:
        file.writestr(zipfile.ZipInfo(name), bytes(32 << 20), zipfile.ZIP_DEFLATED)
    return content.getvalue()


def claim(name, num_bytes):
    """Return the file of `add_zeros` with another size in the headers of the member."""
    return add_zeros(name).replace(struct.pack("<I", 32 << 20), struct.pack("<I", num_bytes))


def append_zeros():
    """Return a `.keras` file whose weights end in 64 MiB of zeros, which take 65 kB of the file."""
    return archive(CONFIG, hdf5(ARRAYS) + bytes(64 << 20), zipfile.ZIP_DEFLATED)


def promise_3_gigabytes():
    """Return a network whose weights would have 3 GB, which the file does not hold."""
    config = sequential(image(200, 200, 1), layer("Flatten", "flatten"), layer("Dense", "dense", units=20_000))
    return archive(
        config, hdf5({}, change=lambda file: file.create_dataset("layers/dense/vars/0", (40_000, 20_000), "f4"))
    )


def add_many_layers():
    many = [layer("Activation", f"a{i}", activation="relu") for i in range(20_000)]
    return archive(sequential(image(4, 4, 1), *many), None)


def write_wide_json():
    return archive("[" + "{}," * 1_300_000 + "1]", None, zipfile.ZIP_DEFLATED)


# By name: how the file is made, parts of which one is in the message, and a limit for the memory in MiB.
BOMBS = {
    "large": (lambda: claim("model.weights.h5", 2 << 30), "would unpack to", 16),
    "large asset": (lambda: claim("assets/zeros", 2 << 30), "most of them 'assets/zeros'", 16),
    "a byte too large": (lambda: claim("model.weights.h5", (1 << 30) + 1), "are read", 16),
    "more than there is": (lambda: claim("model.weights.h5", 1 << 30), "are read", 16),
    "zeros after the weights": (append_zeros, "claims 67,", 16),
    "less than there is": (lambda: claim("model.weights.h5", 600_000), "is damaged", 16),
    "twice": (lambda: add_zeros("config.json"), "two members", 16),
    "asset": (lambda: add_zeros("assets/zeros"), "has no model.weights.h5", 16),
    "network": (promise_3_gigabytes, "more computation than a small network", 16),
    "layers": (add_many_layers, "more than 1,000 layers|at most 4,194,304", 64),
    "json": (write_wide_json, "is not a JSON object", 200),
    "array": (lambda: archive(CONFIG, hdf5(ARRAYS, change=add_huge_array)), "without bytes", 16),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_memory_stays_flat_and_nothing_is_written(tmp_path):
    paths = [tmp_path / f"{name}.keras" for name in BOMBS]
    for path, (make, _, _) in zip(paths, BOMBS.values(), strict=True):
        path.write_bytes(make())
    command = [sys.executable, "-c", READ_AND_MEASURE, *paths]
    completed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    for name, (_, why, max_mebibytes), line in zip(BOMBS, BOMBS.values(), completed.stdout.splitlines(), strict=True):
        message, growth_mebibytes = json.loads(line)
        assert any(part in message for part in why.split("|")), (name, message)
        assert growth_mebibytes < max_mebibytes, name
    assert sorted(tmp_path.iterdir()) == sorted(paths)
