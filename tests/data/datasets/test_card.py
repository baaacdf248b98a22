import re
from base64 import b64decode
from html.parser import HTMLParser

import numpy as np

import convscope as cs

HOSTILE = "</script><img src=x onerror=alert(1)>"
# Inherited, or so translucent that it shows on black and on white.
THEMELESS = re.compile(r"color: inherit|solid rgba\(128, 128, 128, 0\.\d\)")


class Elements(HTMLParser):
    """The tags of a page, its text, and whether all that opens is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def dataset(num_images: int = 12, names: tuple[str, ...] = ("cat", "dog"), split: str = "train") -> cs.Dataset:
    images = np.random.default_rng(0).integers(0, 256, (num_images, 20, 32, 3), dtype=np.uint8)
    labels = (np.arange(num_images) % len(names)).astype(np.uint8)
    return cs.Dataset(images, labels, names, "pets", split)


def test_mnist_shows_its_sizes_counts_and_first_images(mnist):
    texts = Elements(mnist._repr_html_()).texts
    assert ": 10 classes, images of 28 × 28 pixels and 1 channel, uint8 as in the file" in texts
    assert texts[texts.index("all") :][:3] == ["all", "60,000", "10,000"]
    assert texts[texts.index("9") :][:3] == ["9", "5,949", "1,009"]
    assert "train, the first 10: 5, 0, 4, 1, 9, 2, 1, 3, 1, 4" in texts
    assert "test, the first 10: 7, 2, 1, 0, 4, 1, 4, 9, 5, 9" in texts


def test_one_split_shows_itself_alone():
    elements = Elements(dataset(split="validation")._repr_html_())
    assert elements.tags.count("img") == 1
    assert "validation" in elements.texts
    assert "test" not in elements.texts


def test_the_strip_is_an_inline_picture_that_its_text_describes():
    attributes = dict(Elements(dataset(3)._repr_html_()).attributes)
    kind, content = attributes["src"].split(",")
    assert kind == "data:image/png;base64"
    assert b64decode(content).startswith(b"\x89PNG")
    assert attributes["alt"] == "train, the first 3: cat, dog, cat"


def test_many_classes_are_folded_away_below_their_extremes():
    names = tuple(f"class {i}" for i in range(100))
    elements = Elements(dataset(250, names)._repr_html_())
    assert "details" in elements.tags
    assert "each of the 100 classes" in elements.texts
    assert elements.texts[elements.texts.index("fewest of a class") + 1] == "2"
    assert elements.texts[elements.texts.index("most of a class") + 1] == "3"
    assert "class 99" in elements.texts


def test_hostile_names_are_text():
    hostile = cs.Dataset(dataset().images, dataset().labels, (HOSTILE, '"><b>'), HOSTILE)
    elements = Elements(hostile._repr_html_())
    assert set(elements.tags) <= {
        "div",
        "strong",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "figure",
        "img",
        "figcaption",
    }
    assert elements.tags.count("img") == 1
    assert HOSTILE in elements.texts
    assert not any(name.startswith("on") for name, _ in elements.attributes)


def test_a_long_name_is_cut():
    assert max(len(text) for text in Elements(dataset(1, ("long " * 100, "b"))._repr_html_()).texts) < 100


def test_colours_are_those_of_the_page(mnist):
    styles = [value for name, value in Elements(mnist._repr_html_()).attributes if name == "style"]
    declared = [
        part for style in styles for part in style.split(";") if "color" in part or "rgb" in part or "#" in part
    ]
    assert declared
    assert all(THEMELESS.search(part) for part in declared)
