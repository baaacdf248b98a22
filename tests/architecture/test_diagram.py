"""The SVG diagram of an architecture: its texts, arrows and colours, with nothing overlapping or cut off."""

import re
from itertools import combinations
from xml.etree import ElementTree

import pytest

import convscope as cs

NAMESPACE = "{http://www.w3.org/2000/svg}"
FONT_SIZE, CHARACTER_WIDTH = 12, 7.25  # pixels; DejaVu Sans Mono, the widest font named in the SVG, has 0.602 * 12


def deep(num_layers):
    """Return a network of `num_layers` layers with short and long names; every fourth layer is a pooling."""
    layers = []
    for i in range(num_layers - 2):
        name = f"{'stage_' * (i % 6)}{i}"
        convolution = cs.Conv2D(2 ** (i % 10), 3, padding="same", activation="relu", name=name)
        layers.append(convolution if i % 4 else cs.MaxPooling2D((1, 2) if i > 20 else (2, 1), (1, 1)))
    return cs.Architecture(cs.Input(96, 64, 3), (*layers, cs.Flatten(), cs.Dense(100, "softmax")))


def residual(num_blocks):
    """Return a network of blocks that each add the output of an earlier layer, often drawn in the row above."""
    layers = [cs.Conv2D(8, 1, name="the_very_first_convolution")]
    for i in range(num_blocks):
        layers += [
            cs.Conv2D(8, 3, padding="same", use_bias=False),
            cs.BatchNormalization(activation="relu"),
            cs.Conv2D(8, 3, padding="same"),
            cs.Add("add" if i > 1 else "the_very_first_convolution", "relu"),
        ]
    return cs.Architecture(cs.Input(9, 9), (*layers, cs.Flatten(), cs.Dense(3)))


ARCHITECTURES = {
    "cnn": cs.presets.cnn(),
    "ann": cs.presets.ann(),
    "colour": cs.presets.cnn((48, 64, 3), 2),
    "one layer": cs.Architecture(cs.Input(1, 1), (cs.Conv2D(2, 1), cs.Flatten())),
    "one row of pixels": cs.Architecture(cs.Input(1, 4096), (cs.Flatten(), cs.Dense(2))),
    "10 layers": deep(10),
    "20 layers": deep(20),
    "30 layers": deep(30),
    "a name without a break": cs.Architecture(cs.Input(28, 28), (cs.Flatten(name="x" * 200), cs.Dense(10))),
    "poolings": cs.Architecture(
        cs.Input(32, 32, 3),
        (
            cs.AveragePooling2D(3, 2, "same"), cs.DepthwiseConv2D(5, depth_multiplier=2),
            cs.Conv2D(8, activation="leaky_relu"), cs.GlobalAveragePooling2D(), cs.Dropout(0.5), cs.Dense(10),
        ),
    ),
    "normalisation": cs.Architecture(
        cs.Input(9, 9),
        (cs.Conv2D(4, use_bias=False), cs.BatchNormalization(activation="relu"), cs.Flatten(), cs.Dense(3)),
    ),
    "padding": cs.Architecture(
        cs.Input(9, 9, 3),
        (
            cs.ZeroPadding2D(1), cs.ZeroPadding2D((1, 0)), cs.ZeroPadding2D(((1000, 1000), (0, 10))), cs.Conv2D(4, 3),
            cs.Activation("leaky_relu", 1e-05 / 3), cs.Activation("linear"), cs.GlobalAveragePooling2D(),
            cs.Activation("softmax"),
        ),
    ),
    "residual": residual(4),
    "one addition": cs.Architecture(
        cs.Input(9, 9), (cs.Conv2D(4), cs.Add("conv2d"), cs.Flatten(), cs.Dense(3), cs.Add("dense"))
    ),
    "long settings": cs.Architecture(
        cs.Input(64, 48, 64),
        (
            cs.Conv2D(1000, (11, 7), (2, 3), "same", "relu"), cs.MaxPooling2D((3, 2), (1, 2)), cs.Flatten(),
            cs.Dense(1000),
        ),
    ),
}  # fmt: skip


def find_texts(svg):
    """Return (left, top, right, bottom, text) of every line of text; letters reach 0.8 above and 0.25 below a line."""
    boxes = []
    for element in ElementTree.fromstring(svg).iter(f"{NAMESPACE}text"):
        width = len(element.text) * CHARACTER_WIDTH
        left = float(element.get("x")) - (width / 2 if element.get("text-anchor") == "middle" else 0)
        baseline = float(element.get("y"))
        boxes.append((left, baseline - 0.8 * FONT_SIZE, left + width, baseline + 0.25 * FONT_SIZE, element.text))
    return boxes


@pytest.fixture(params=ARCHITECTURES, scope="module")
def architecture(request):
    return ARCHITECTURES[request.param]


@pytest.fixture(scope="module")
def svg(architecture):
    return architecture.diagram()


def test_the_diagram_shows_kind_shape_and_counts_of_each_layer(architecture, svg):
    texts = [text for *_, text in find_texts(svg)]
    for row in architecture.table:
        assert row.layer.kind in texts
        assert " × ".join(map(str, row.output_shape)) in texts
        assert f"{row.parameters + row.non_trainable_parameters:,}" in texts
        assert f"{row.macs:,}" in texts
    assert texts.count("Input") == 1


def test_a_name_broken_into_lines_is_complete(architecture, svg):
    by_centre = {}  # the lines of a layer, all centred on the same x
    for left, _, right, _, text in find_texts(svg):
        by_centre.setdefault(round((left + right) / 2), []).append(text)
    columns = ["".join(lines) for lines in by_centre.values()]
    for layer in architecture.layers:
        assert any(layer.name in column for column in columns)


def test_no_text_overlaps_another(svg):
    for a, b in combinations(find_texts(svg), 2):
        are_side_by_side = a[2] <= b[0] or b[2] <= a[0]
        are_one_below_the_other = a[3] <= b[1] or b[3] <= a[1]
        assert are_side_by_side or are_one_below_the_other, (a, b)


def test_no_text_is_cut_off(svg):
    _, _, width, height = map(float, ElementTree.fromstring(svg).get("viewBox").split())
    for left, top, right, bottom, text in find_texts(svg):
        assert 0 <= left < right <= width, text
        assert 0 <= top < bottom <= height, text


def test_the_diagram_is_no_wider_than_a_page(svg):
    assert float(ElementTree.fromstring(svg).get("width")) <= 1000


def find_arrows(svg):
    """Return the corners (x, y) of every arrow without its head.

    An arrow is a path "M x y L x y ... M ...", whose second M begins the head.
    """
    paths = [path for path in ElementTree.fromstring(svg).findall(f"{NAMESPACE}path") if path.get("fill") == "none"]
    lines = [re.match(r"M([^M]+)M", path.get("d")).group(1).split("L") for path in paths]
    return [[tuple(map(float, point.split())) for point in line] for line in lines]


def test_an_arrow_leads_to_every_layer_and_two_to_an_addition(architecture, svg):
    additions = sum(isinstance(layer, cs.Add) for layer in architecture.layers)
    assert len(find_arrows(svg)) == len(architecture.layers) + additions


def test_no_arc_covers_another_or_leaves_the_drawing():
    layers = (
        *(cs.Conv2D(2, 1, name=name) for name in "abc"),
        *(cs.Add(source, name=f"with_{source}") for source in "abc"),
        cs.Flatten(),
        cs.Dense(2),
    )
    svg = cs.Architecture(cs.Input(9, 9), layers).diagram()
    arcs = [corners for corners in find_arrows(svg) if len(corners) == 4]  # up, across, down
    assert len(arcs) == 3
    assert all(left < right and y > 0 for (left, _), (_, y), (right, _), _ in arcs)
    assert len({arc[1][1] for arc in arcs}) == 3  # three heights, because the arcs run over the same blocks


def test_paddings_and_activations_have_summaries():
    texts = [text for *_, text in find_texts(ARCHITECTURES["padding"].diagram())]
    paddings = ("1 around", "rows 1,", "columns 0", "rows 1000 + 1000,", "columns 0 + 10")
    for words in (*paddings, "leaky_relu,", "slope 3.3", "linear", "softmax"):
        assert any(text.startswith(words) for text in texts), words


def test_an_addition_says_what_it_adds(architecture, svg):
    description = ElementTree.fromstring(svg).find(f"{NAMESPACE}desc").text
    for layer in architecture.layers:
        if isinstance(layer, cs.Add):
            assert f"{layer.name} (Add of {layer.from_layer}): output" in description
            assert any(text.startswith("+ ") for *_, text in find_texts(svg))


def test_the_diagram_stands_alone(svg):
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{NAMESPACE}svg"
    tags = {element.tag.removeprefix(NAMESPACE) for element in root.iter()}
    assert tags <= {"svg", "title", "desc", "g", "path", "rect", "text"}
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not attributes & {"id", "href", "src", "class"}
    assert not any(name.startswith("on") for name in attributes)
    assert "url(" not in svg


def test_colours_come_from_the_page(svg):
    colours = re.findall(r"(?:fill|stroke)[:=]\"?([^;\"]+)", svg)
    assert set(colours) <= {"currentColor", "none", "var(--accent, #9a6ee0)"}


def test_the_diagram_has_a_title_and_a_description_for_those_who_do_not_see_it(architecture, svg):
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    assert root[0].tag == f"{NAMESPACE}title"
    assert f"{len(architecture.layers)} layers" in root[0].text
    for row in architecture.table:
        assert f"{row.layer.name} ({row.layer.kind}" in root.find(f"{NAMESPACE}desc").text


def test_a_notebook_shows_the_diagram():
    assert cs.presets.cnn()._repr_html_() == cs.presets.cnn().diagram()


def test_more_channels_are_more_planes_and_larger_maps_larger_planes():
    def draw_planes(filters, kernel):
        """Count the planes of a convolution in the diagram, and read their width."""
        architecture = cs.Architecture(cs.Input(28, 28), (cs.Conv2D(filters, kernel), cs.Flatten(), cs.Dense(2)))
        group = ElementTree.fromstring(architecture.diagram()).findall(f"{NAMESPACE}g")[1]  # 0 is the input
        return len(group), float(group.find(f"{NAMESPACE}rect").get("width"))

    (few, large), (many, _), (_, small) = draw_planes(4, 1), draw_planes(64, 1), draw_planes(4, 20)
    assert few < many
    assert small < large
