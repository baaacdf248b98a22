"""Make nine small data sets of kinds that people bring: digits, letters, symbols, icons, clothes, shapes, patterns.

    npm install --prefix benchmarks/own_pictures --no-package-lock --ignore-scripts
    .venv/bin/python -m pip install resvg-py
    .venv/bin/python benchmarks/own_pictures/sets.py [NAME ...]

Each becomes `build/own_pictures/NAME.npz` with training and test images. Letters, symbols and icons are drawn from the
fonts and icon sets of `package.json`; a font or icon set is either for training or for the test, as if other people
had drawn the test images.
"""

import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_digits

import convscope as cs

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "own_pictures"
MODULES = Path(__file__).parent / "node_modules"

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SYMBOLS = [chr(code) for code in range(33, 127)] + list("£§©±µ¶")  # 94 + 6 = 100 classes
# A class of icons has these names, in whatever style.
ICONS = (
    "map-pin map-marker location location-pin pin", "user person account", "home house", "star", "folder",
    "globe world earth", "bookmark", "trash trash-can delete delete-bin", "heart", "bolt lightning flash zap",
    "image picture", "mail email envelope", "flag", "gear cog settings", "calendar", "book", "microphone mic", "tag",
    "cloud", "search magnifying-glass", "camera", "printer print", "phone telephone", "cart shopping-cart", "eye",
    "lock", "clock", "key", "shield", "moon",
)  # fmt: skip
STYLES = (
    "outline|outlined|fill|filled|solid|line|linear|bold|duotone|light|thin|twotone|two-tone|round|rounded|sharp|broken|"
    "regular|baseline|simple|16|20|24|28|32|48|1|2|alt|o|s"
)

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]
Split = tuple[Images, Labels]


def main() -> int:
    """Make the sets whose names are arguments, or all, and print their sizes."""
    BUILD.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or SETS:
        (train, train_labels), (test, test_labels), classes = SETS[name]()
        path = BUILD / f"{name}.npz"
        np.savez(
            path, x_train=train, y_train=train_labels, x_test=test, y_test=test_labels, class_names=np.array(classes)
        )
        counts = np.bincount(train_labels, minlength=len(classes))
        print(
            f"{name:<12} {len(classes):>4} classes, {counts.min()} to {counts.max()} a class, {len(train):,} training "
            f"and {len(test):,} test images of {' × '.join(map(str, train.shape[1:]))}",
            flush=True,
        )
    return 0


def load(name: str) -> cs.Splits:
    """Load a set that `main` has made."""
    with np.load(BUILD / f"{name}.npz") as file:
        classes = file["class_names"].tolist()
        train, test = (
            cs.Dataset.from_arrays(file[f"x_{split}"], file[f"y_{split}"], class_names=classes, name=name, split=split)
            for split in ("train", "test")
        )
    return cs.Splits(train, test)


def make_digits() -> tuple[Split, Split, list[str]]:
    """Take scikit-learn's digits, 8 × 8 pixels, enlarged to 16 × 16; half of them are for training."""
    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)
    images = np.stack(
        [np.asarray(Image.fromarray(image).resize((16, 16), Image.Resampling.BILINEAR)) for image in images]
    )
    order = np.random.default_rng(0).permutation(len(images))
    train, test = order[:900], order[900:]
    return _split(images, digits.target, train, test, [str(digit) for digit in range(10)])


def make_first_of(name: str, num_of_class: int) -> Callable[[], tuple[Split, Split, list[str]]]:
    """Take the first training images of each class of a named set, and all its test images."""

    def make() -> tuple[Split, Split, list[str]]:
        splits = cs.load_dataset(name)
        labels = splits.train.labels
        first = np.sort(np.concatenate([np.flatnonzero(labels == label)[:num_of_class] for label in range(10)]))
        train = splits.train.take(first)
        test = splits.test
        return (
            (train.images, train.labels.astype(np.int64)),
            (test.images, test.labels.astype(np.int64)),
            list(splits.class_names),
        )

    return make


def make_letters() -> tuple[Split, Split, list[str]]:
    """Draw capital and small letters in a hundred fonts, 28 × 28 pixels; 40 fonts are for training."""
    texts = [(letter, label) for label, letter in enumerate(LETTERS)]
    texts += [(letter.lower(), label) for letter, label in texts]
    return *(_draw_texts(texts, fonts, 28) for fonts in (_fonts()[:40], _fonts()[40:100])), list(LETTERS)


def make_symbols() -> tuple[Split, Split, list[str]]:
    """Draw a hundred symbols in a hundred fonts, 32 × 32 pixels; 30 fonts are for training."""
    texts = [(symbol, label) for label, symbol in enumerate(SYMBOLS)]
    names = [f"U+{ord(symbol):04X}" for symbol in SYMBOLS]
    return *(_draw_texts(texts, fonts, 32) for fonts in (_fonts()[:30], _fonts()[30:100])), names


def _fonts() -> list[Path]:
    """List a font file of each family, in an order that mixes serif, sans and handwriting."""
    files = [
        next(iter(sorted(folder.glob("files/*-latin-400-normal.woff"))), None)
        for folder in sorted((MODULES / "@fontsource").iterdir())
    ]
    fonts = [file for file in files if file]
    return [fonts[index] for index in np.random.default_rng(0).permutation(len(fonts))]


def _draw_texts(texts: list[tuple[str, int]], fonts: list[Path], side: int) -> Split:
    """Draw each text in each font, dark on light, as large as the font has it and in the middle of the picture."""
    images, labels = list[Images](), list[int]()
    for path in fonts:
        font = ImageFont.truetype(str(path), round(side * 0.7))
        for text, label in texts:
            picture = Image.new("L", (side, side), 255)
            ImageDraw.Draw(picture).text((side / 2, side / 2), text, fill=0, font=font, anchor="mm")
            images.append(np.asarray(picture))
            labels.append(label)
    return np.stack(images)[..., np.newaxis], np.array(labels)


def make_icons() -> tuple[Split, Split, list[str]]:
    """Draw thirty things in the styles of eighty icon sets, 24 × 24 pixels; a third of the sets is for training."""
    folders = sorted((MODULES / "@iconify-json").iterdir())
    order = np.random.default_rng(0).permutation(len(folders))
    num_train = len(folders) // 3
    train, test = ([folders[index] for index in part] for part in (order[:num_train], order[num_train:]))
    return _draw_icons(train), _draw_icons(test), [names.split()[0] for names in ICONS]


def _draw_icons(folders: list[Path]) -> Split:
    images, labels = list[Images](), list[int]()
    patterns = [re.compile(rf"((?:{STYLES})-)*(?:{'|'.join(names.split())})(-(?:{STYLES}))*") for names in ICONS]
    for folder in folders:
        content = json.loads((folder / "icons.json").read_text(encoding="utf-8"))
        for name, icon in content["icons"].items():
            for label, pattern in enumerate(patterns):
                if pattern.fullmatch(name):
                    size = [icon.get(key, content.get(key, 16)) for key in ("width", "height")]
                    images.append(_draw_svg(icon["body"], icon.get("left", 0), icon.get("top", 0), *size))
                    labels.append(label)
    return np.stack(images), np.array(labels)


def _draw_svg(body: str, left: float, top: float, width: float, height: float, side: int = 24) -> Images:
    import resvg_py  # only drawing needs it, and loading finished sets does not draw

    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{left} {top} {width} {height}" width="{side}" '
        f'height="{side}" color="black">{body}</svg>'
    )
    drawn = Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side))))
    paper = Image.new("RGBA", (side, side), "white")
    drawn = drawn.convert("RGBA").resize((side, side))
    return np.asarray(Image.alpha_composite(paper, drawn).convert("L"))[..., np.newaxis]


def make_shapes() -> tuple[Split, Split, list[str]]:
    """Draw a triangle, a square or a pentagon in any colours, turned, partly hidden and noisy, 48 × 48 pixels."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 18_000)
    images = np.stack([_draw_polygon(rng, 3 + int(label), 48) for label in labels])
    return _split(images, labels, np.arange(15_000), np.arange(15_000, 18_000), ["triangle", "square", "pentagon"])


def _draw_polygon(rng: np.random.Generator, corners: int, side: int) -> Images:
    """Draw a regular polygon on paper of another colour, with lines across it and noise."""
    ground, ink = (rng.integers(0, 256, 3) for _ in range(2))
    picture = Image.new("RGB", (side, side), tuple(ground.tolist()))
    draw = ImageDraw.Draw(picture)
    radius, turn = side * rng.uniform(0.15, 0.4), rng.uniform(0, 2 * np.pi)
    middle = rng.uniform(radius, side - radius, 2)
    angles = turn + 2 * np.pi * np.arange(corners) / corners
    draw.polygon([tuple(middle + radius * np.array([np.cos(a), np.sin(a)])) for a in angles], fill=tuple(ink.tolist()))
    for _ in range(rng.integers(0, 5)):
        draw.line(rng.uniform(0, side, 4).tolist(), fill=tuple(rng.integers(0, 256, 3).tolist()), width=2)
    noisy = np.asarray(picture) + rng.normal(0, 20, (side, side, 3))
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def make_patterns() -> tuple[Split, Split, list[str]]:
    """Draw ten patterns such as stripes and dots in any colours and directions, 40 × 40 pixels."""
    rng = np.random.default_rng(2)
    labels = np.repeat(np.arange(10), 500)
    images = np.stack([_draw_pattern(rng, int(label), 40) for label in labels])
    is_train = np.arange(len(labels)) % 500 < 200  # of each class
    names = ["stripes", "waves", "checks", "dots", "rings", "bricks", "zigzag", "grid", "blobs", "speckles"]
    return _split(images, labels, np.flatnonzero(is_train), np.flatnonzero(~is_train), names)


def _draw_pattern(rng: np.random.Generator, label: int, side: int) -> Images:
    """Draw a pattern from a function of turned coordinates, which is high in the one colour and low in the other."""
    rows, columns = np.mgrid[:side, :side] - side / 2
    turn, period = rng.uniform(0, 2 * np.pi), rng.uniform(6, 12)
    x = (columns * np.cos(turn) + rows * np.sin(turn)) / period + rng.uniform()
    y = (rows * np.cos(turn) - columns * np.sin(turn)) / period + rng.uniform()

    def wave(value: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.cos(2 * np.pi * value)

    noise = rng.normal(size=(side, side))
    smooth = np.fft.ifft2(
        np.fft.fft2(noise) * np.exp(-((np.fft.fftfreq(side)[:, None] ** 2 + np.fft.fftfreq(side) ** 2) * 8 * period**2))
    ).real
    value = (
        wave(x),
        wave(x + 0.3 * wave(y / 2)),
        wave(x) * wave(y),
        wave(x) + wave(y) - 0.6,
        wave(np.hypot(x, y)),
        np.maximum(wave(y), wave(x + 0.5 * (np.floor(y) % 2)) - 0.3),
        wave(x + np.abs(y / 2 % 1 - 0.5)),
        np.maximum(wave(x), wave(y)) - 0.5,
        smooth / smooth.std(),
        noise - 0.8,
    )[label]
    colours = rng.integers(0, 256, (2, 3))
    share = 1 / (1 + np.exp(-6 * value))[..., np.newaxis]
    noisy = colours[0] * share + colours[1] * (1 - share) + rng.normal(0, 30, (side, side, 3))
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def make_arrows() -> tuple[Split, Split, list[str]]:
    """Draw arrows in eight directions, 12 × 12 pixels: mirrored or turned, they are another class."""
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(8), 400)
    images = np.stack([_draw_arrow(rng, int(label), 12) for label in labels])
    is_train = np.arange(len(labels)) % 400 < 100
    names = ["east", "southeast", "south", "southwest", "west", "northwest", "north", "northeast"]
    return _split(images, labels, np.flatnonzero(is_train), np.flatnonzero(~is_train), names)


def _draw_arrow(rng: np.random.Generator, label: int, side: int) -> Images:
    """Draw an arrow at eight times the size, its direction up to 20° off, and average it with noise."""
    large = 8 * side
    picture = Image.new("L", (large, large), 255)
    draw = ImageDraw.Draw(picture)
    angle = label * np.pi / 4 + np.deg2rad(rng.uniform(-20, 20))
    ahead, aside = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    middle, length = large / 2 + rng.uniform(-8, 8, 2), rng.uniform(20, 38)
    tip, tail = middle + length * ahead, middle - length * ahead
    wings = [tip - rng.uniform(15, 30) * ahead + side_of * rng.uniform(12, 24) * aside for side_of in (-1, 1)]
    width, grey = int(rng.integers(4, 12)), int(rng.integers(0, 150))
    for start, end in ((tail, tip), (wings[0], tip), (wings[1], tip)):
        draw.line([tuple(start), tuple(end)], fill=grey, width=width)
    noisy = np.asarray(picture.resize((side, side), Image.Resampling.BOX)) + rng.normal(0, 25, (side, side))
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)[..., np.newaxis]


def _split(
    images: Images, labels: Labels, train: Labels, test: Labels, names: list[str]
) -> tuple[Split, Split, list[str]]:
    return (images[train], labels[train]), (images[test], labels[test]), names


SETS: dict[str, Callable[[], tuple[Split, Split, list[str]]]] = {
    "digits": make_digits,
    "mnist-30": make_first_of("mnist", 30),
    "fashion-300": make_first_of("fashion-mnist", 300),
    "letters": make_letters,
    "symbols": make_symbols,
    "icons": make_icons,
    "shapes": make_shapes,
    "patterns": make_patterns,
    "arrows": make_arrows,
}


if __name__ == "__main__":
    sys.exit(main())
