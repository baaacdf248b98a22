"""The limits on a network's layers, memory and operations; the error names the first layer above a limit."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import convscope as cs
from convscope.architecture.cost import layer_operations
from convscope.base.errors import ArchitectureError
from convscope.engine.network import image_blocks

END = (cs.GlobalAveragePooling2D(), cs.Dense(10))
IMAGE = cs.Input(28, 28)


# A number of a map or a weight has 4 bytes. After k paddings the map has 28 + 2,048 k rows and columns, whose squares
# for k = 0 to 7 come to 2.36 GB. A mean over 512 x 512 pixels takes as many reads for each of 512 · 512 · 16 outputs.
@pytest.mark.parametrize(
    ("image", "layers", "message"),
    [
        (
            IMAGE,
            (*[cs.ZeroPadding2D(1024)] * 22, *END),
            r"zero_padding2d_6: up to this layer the network needs 2,361,680,384 bytes of maps for one image, and the "
            r"limit is 2,147,483,648",
        ),
        (cs.Input(4096, 4096, 64), END, r"input: up to this layer the network needs 4,294,967,296 bytes of maps"),
        (cs.Input(4096, 4096), (cs.Flatten(), cs.Dense(65536)), r"dense: .* 4,398,046,773,248 bytes of weights"),
        (
            cs.Input(512, 512, 16),
            (*[cs.AveragePooling2D(512, 1, padding="same")] * 3, *END),
            r"average_pooling2d: .* 1,099,515,822,080 operations for one image, and the limit is 1,000,000,000,000",
        ),
        # Each takes 512 · 512 · 512 · 512 reads, 6.9e10, so the 15th exceeds the limit.
        (
            cs.Input(512, 512),
            (*[cs.MaxPooling2D(512, 1, "same")] * 40, *END),
            "max_pooling2d_14: .* operations for one",
        ),
        (IMAGE, (*[cs.Dropout(0.5)] * 999, *END), "the network has 1,001 layers, and the limit is 1,000"),
    ],
    ids=["padding", "image", "weights", "one pooling", "many poolings", "layers"],
)
def test_networks_that_cost_too_much_are_refused_by_layer(image, layers, message):
    with pytest.raises(ArchitectureError, match=message):
        cs.Architecture(image, layers)


def vgg16(size: int) -> cs.Architecture:
    layers = []
    for filters, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        layers += [cs.Conv2D(filters, 3, padding="same", activation="relu")] * count + [cs.MaxPooling2D()]
    layers += [cs.Flatten(), cs.Dense(4096, "relu"), cs.Dense(4096, "relu"), cs.Dense(1000)]
    return cs.Architecture(cs.Input(size, size, 3), tuple(layers))


def m5(size: int) -> cs.Architecture:
    layers = []
    for filters in (32, 64, 96, 128, 160):
        layers += [cs.Conv2D(filters, 5, use_bias=False), cs.BatchNormalization(activation="relu")]
    return cs.Architecture(cs.Input(size, size), (*layers, cs.Flatten(), cs.Dense(10), cs.BatchNormalization()))


@pytest.mark.parametrize(("build", "size"), [(vgg16, 224), (vgg16, 512), (m5, 28), (m5, 512)])
def test_networks_that_people_build_stay_within_the_limits(build, size):
    assert build(size).num_classes in (10, 1000)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        # A window of 3 x 3 fits a map of 8 x 8 at 6 x 6 positions. Products or reads, then one write per output.
        (cs.Conv2D(5, 3), 6 * 6 * 5 * (3 * 3 * 2) + 6 * 6 * 5),
        (cs.DepthwiseConv2D(3), 6 * 6 * 2 * (3 * 3) + 6 * 6 * 2),
        (cs.AveragePooling2D(3, 1), 6 * 6 * 2 * 9 + 6 * 6 * 2),
        (cs.GlobalAveragePooling2D(), 8 * 8 * 2 + 2),
        (cs.ZeroPadding2D(1), 8 * 8 * 2 + 10 * 10 * 2),
        (cs.Activation("gelu"), 2 * 8 * 8 * 2),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_operations_count_multiply_adds_or_reads_and_writes(layer, expected):
    input_shape = (8, 8, 2)
    assert layer_operations(layer, input_shape, layer.output_shape(input_shape)) == expected


@pytest.mark.slow
def test_a_file_that_asks_for_too_much_is_refused_before_anything_is_allocated(tmp_path: Path):
    paddings = [{"kind": "ZeroPadding2D", "padding": 1024}] * 22
    layers = [*paddings, {"kind": "Flatten"}, {"kind": "Dense", "units": 2}]
    path = tmp_path / "huge.json"
    path.write_text(json.dumps({"input": {"height": 28, "width": 28}, "layers": layers}))
    script = (
        "import sys; from convscope.cli import main; from convscope.training.memory import peak_memory_bytes\n"
        "before = peak_memory_bytes()\n"
        "try: main(['summary', sys.argv[1]])\n"
        "finally: print(peak_memory_bytes() - before)"
    )
    completed = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=False)
    assert completed.returncode == 1
    assert completed.stderr.startswith(f"Error: {path}: zero_padding2d_6: up to this layer the network needs ")
    assert int(completed.stdout) < 64 << 20  # bytes; imports alone take some


def test_an_engine_holds_fewer_images_at_once_where_their_maps_are_large():
    large = cs.Architecture(cs.Input(512, 512), (cs.Conv2D(32, 3, padding="same"), *END))
    bytes_per_image = 8 * (512 * 512 * 32 + 32 + 10)  # the outputs of the three layers in float64
    blocks = image_blocks(large, 10, 8)
    assert [block.start for block in blocks] == list(range(0, 10, 2**28 // bytes_per_image))  # a block has 256 MiB
    # Of small maps a block holds at most 64 images; the last one may end beyond the images.
    assert [(block.start, block.stop) for block in image_blocks(m5(28), 100, 8)] == [(0, 64), (64, 128)]
