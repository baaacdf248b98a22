"""Rendered photographs: digits of a data set written with a pen on paper, in uneven light, with a handheld camera.

`photograph_digit(image, seed)` and `photograph_string(images, seed)` take images like those of MNIST, (h, w) or
(h, w, 1) uint8 with light ink; `photograph_rows(rows, seed)` renders a page of several lines, with printed rules on
request; `photograph(ink, seed)` any canvas of ink. All return a picture (H, W, 3) uint8, the same one for the same seed
and library versions. The seed varies the pen's width and colour, the paper and its grain, perspective, blur of the
lens, light that falls off or a shadow with a soft or hard edge, noise of the sensor, and JPEG at quality 60 to 90.
"""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Ink = NDArray[np.uint8]
Photo = NDArray[np.uint8]
Box = list[float]  # left, top, right, bottom in pixels, right and bottom exclusive

PENS = ((24, 28, 40), (32, 48, 128), (20, 24, 92), (40, 40, 44), (72, 72, 78), (120, 28, 36))
_CONTACT = 0.5  # share of full ink from which two digits count as touching


def photograph(ink: Ink, seed: int, boxes: Sequence[Box] = ()) -> Any:
    """Return the photo (H, W, 3) uint8 of a sheet with `ink` (h, w) uint8 on it, 255 where the pen wrote fully.

    With `boxes` in pixels of the canvas it returns (photo, boxes in pixels of the photo).
    """
    random = np.random.default_rng([seed, 1])
    height, width = ink.shape
    to_canvas = _camera(height, width, random)
    drawn = np.asarray(
        Image.fromarray(ink).transform(
            (width, height), Image.Transform.PERSPECTIVE, tuple(to_canvas.ravel()[:8]), Image.Resampling.BICUBIC
        ),
        np.float64,
    )
    strength = np.clip(drawn / 255, 0, 1) * random.uniform(0.82, 0.97)
    strength *= 1 - 0.25 * np.clip(_grain((height, width), 1.2, random), 0, 1)  # a pen skips over the grain
    paper = np.array([random.uniform(225, 250)] * 3) * (1, random.uniform(0.96, 1), random.uniform(0.88, 1))
    texture = 1 + 0.008 * _grain((height, width), 0.8, random) + 0.012 * _grain((height, width), 6, random)
    pen = np.array(PENS[random.integers(len(PENS))], np.float64)
    scene = paper * texture[..., None] * (1 - strength[..., None]) + pen * strength[..., None]
    scene = scene * _light(height, width, random)[..., None]
    scene = ndimage.gaussian_filter(scene, (*[random.uniform(0.5, 1.4)] * 2, 0))
    scene += random.normal(0, 1, scene.shape) * random.uniform(1, 4) * np.sqrt(0.3 + np.maximum(scene, 0) / 255)
    file = BytesIO()
    quality = int(random.integers(60, 91))
    Image.fromarray(np.clip(scene + 0.5, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=quality)
    photo = np.asarray(Image.open(BytesIO(file.getvalue())).convert("RGB"))
    return (photo, [_move(box, np.linalg.inv(to_canvas)) for box in boxes]) if boxes else photo


def photograph_digit(image: Ink, seed: int) -> Photo:
    """Return the photo of one digit, four to ten times as large as in its data set, on a sheet with some margin."""
    return photograph_string([image], seed)[0]


def photograph_string(images: Sequence[Ink], seed: int, touching: float = 0.0) -> tuple[Photo, list[Box]]:
    """Return the photo of a line of digits and the box of each, in the order given.

    Args:
        touching: the chance of each digit to touch the one before it; the others stand apart.
    """
    return photograph_rows([images], seed, touching)


def photograph_rows(
    rows: Sequence[Sequence[Ink]], seed: int, touching: float = 0.0, rules: str = ""
) -> tuple[Photo, list[Box]]:
    """Return the photo of several lines of digits and the boxes, line by line.

    Args:
        rules: what is printed on the sheet: "" nothing, "lines" a line under each row, "grid" a table with one digit a
            cell (they stand in columns then), "form" a box of its own around each digit.
    """
    ink, boxes = draw_rows(rows, seed, touching, rules)
    return photograph(ink, seed, boxes)


def draw_rows(
    rows: Sequence[Sequence[Ink]], seed: int, touching: float = 0.0, rules: str = ""
) -> tuple[Ink, list[Box]]:
    """Draw the sheet that `photograph_rows` photographs: a canvas (h, w) uint8 (255 is full ink) and the boxes."""
    random = np.random.default_rng([seed, 0])
    factor = random.uniform(4, 10) if len(rows) * len(rows[0]) <= 10 else random.uniform(3, 5)
    cell = int(32 * factor)
    pen = random.uniform(-0.12, 0.12)
    lines = [_line(row, factor, pen, cell if rules in ("grid", "form") else 0, touching, random) for row in rows]
    margin = int(random.uniform(0.5, 1.2) * 20 * factor)
    step = cell if rules in ("grid", "form") else int(random.uniform(1.3, 1.7) * 28 * factor)
    width = max(line.shape[1] for line, _ in lines)
    canvas = np.zeros((2 * margin + step * len(lines), 2 * margin + width), np.uint8)
    boxes = []
    for i, (line, boxes_of_line) in enumerate(lines):
        top = margin + i * step + (step - line.shape[0]) // 2
        canvas[top : top + line.shape[0], margin : margin + line.shape[1]] = line
        boxes += [[float(a + b) for a, b in zip(box, (margin, top, margin, top), strict=True)] for box in boxes_of_line]
    _print_rules(canvas, rules, margin, step, cell, [len(row) for row in rows], factor)
    return canvas, boxes


def _line(
    images: Sequence[Ink], factor: float, pen: float, cell: int, touching: float, random: np.random.Generator
) -> tuple[Ink, list[list[int]]]:
    """Return one line of ink, 28 · `factor` pixels high, and the box of each digit on it."""
    height = int(32 * factor) if not cell else cell - int(4 * factor)
    pieces = [enlarge(image, factor * random.uniform(0.92, 1.08), pen) for image in images]
    canvas = np.zeros((height, sum(piece.shape[1] for piece in pieces) * 3 + cell * len(pieces)), np.uint8)
    boxes, right = [], 0
    for i, piece in enumerate(pieces):
        top = (height - piece.shape[0]) // 2 + int(random.uniform(-1.2, 1.2) * factor)
        top = min(max(top, 0), height - piece.shape[0])
        touches, gap, slack = random.random() < touching, random.uniform(0.15, 0.5) * 20, random.uniform(-2, 2)
        if cell:
            left = i * cell + (cell - piece.shape[1]) // 2 + int(slack * factor)
        elif i and touches:
            left = _contact(canvas, piece, top, right) - max(1, int(0.4 * factor))
        else:
            left = right + int(gap * factor) if i else 0
        left = max(left, 0)
        under = canvas[top : top + piece.shape[0], left : left + piece.shape[1]]
        np.maximum(under, piece, out=under)
        boxes.append([left, top, left + piece.shape[1], top + piece.shape[0]])
        right = max(right, left + piece.shape[1])
    return canvas[:, : max(right, cell * len(pieces))], boxes


def enlarge(image: Ink, factor: float, pen: float = 0.0) -> Ink:
    """Return a digit as a smooth stroke with sharp edges, cropped to its ink; `pen` -0.2 (thin) to 0.2 (thick)."""
    grey = np.pad(image.reshape(image.shape[:2]).astype(np.float64) / 255, 2)
    smooth = np.clip(ndimage.zoom(grey, factor, order=3), 0, 1)
    smooth = ndimage.gaussian_filter(smooth, 0.25 * factor)
    edge = np.clip((smooth - 0.38 + pen) / 0.16 + 0.5, 0, 1)
    ink = (255 * edge * edge * (3 - 2 * edge) + 0.5).astype(np.uint8)
    rows, columns = np.flatnonzero((ink > 127).any(axis=1)), np.flatnonzero((ink > 127).any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else ink


def _contact(canvas: Ink, piece: Ink, top: int, right: int) -> int:
    """Return the column where `piece`, pushed from the right, first meets ink.

    In a row whose ink on the canvas ends before column 30, and whose ink in the piece starts at column 4, both touch if
    the piece lies at column 26; the row that gives the largest column stops it.
    """
    written, ink = canvas[top : top + piece.shape[0]] > _CONTACT * 255, piece > _CONTACT * 255
    width = written.shape[1]
    ends = np.where(written.any(axis=1), width - written[:, ::-1].argmax(axis=1), -width)  # an empty row stops nothing
    starts = np.where(ink.any(axis=1), ink.argmax(axis=1), width)
    met = int((ends - starts).max())
    return met if met > right - piece.shape[1] else right


def _print_rules(canvas: Ink, rules: str, margin: int, step: int, cell: int, counts: list[int], factor: float) -> None:
    thick = max(2, int(0.5 * factor))

    def stroke(top: int, bottom: int, left: int, right: int) -> None:
        part = canvas[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
        np.maximum(part, 170, out=part)

    for i, count in enumerate(counts):
        top = margin + i * step
        if rules == "lines":
            stroke(top + step - thick, top + step, margin // 2, canvas.shape[1] - margin // 2)
        if rules == "grid":
            for y in (top, top + step):
                stroke(y, y + thick, margin, margin + cell * max(counts))
            for j in range(max(counts) + 1):
                stroke(top, top + step + thick, margin + j * cell, margin + j * cell + thick)
        if rules == "form":
            inset = int(1.2 * factor)
            for j in range(count):
                left, right = margin + j * cell + inset, margin + (j + 1) * cell - inset
                upper, lower = top + inset, top + step - inset
                for y in (upper, lower - thick):
                    stroke(y, y + thick, left, right)
                for x in (left, right - thick):
                    stroke(upper, lower, x, x + thick)


def _camera(height: int, width: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Return the 3 × 3 homography from pixels of the photo to the canvas: turned by up to 3°, its corners moved by 3 %.

    It solves u = (ax + by + c) / (gx + hy + 1) and v = (dx + ey + f) / (gx + hy + 1) for the four corners.
    """
    angle = np.radians(random.uniform(-3, 3))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    middle = np.array([width, height]) / 2
    seen = (corners - middle) @ turn.T * random.uniform(0.94, 1.0) + middle
    seen += random.uniform(-0.03, 0.03, (4, 2)) * min(height, width)
    rows = []
    for (x, y), (u, v) in zip(seen, corners, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    return np.append(np.linalg.solve(np.array(rows), corners.ravel()), 1).reshape(3, 3)


def _move(box: Box, homography: NDArray[np.float64]) -> Box:
    """Return the box around the four corners of `box` after the homography."""
    left, top, right, bottom = box
    points = homography @ np.array([[left, right, right, left], [top, top, bottom, bottom], [1, 1, 1, 1]], np.float64)
    x, y = points[:2] / points[2]
    return [float(x.min()), float(y.min()), float(x.max()), float(y.max())]


def _light(height: int, width: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Draw the light on each pixel: down to 40 to 60 % at the far side, or under a shadow."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    x, y, size = x - width / 2, y - height / 2, np.hypot(width, height)

    def across(reach: float) -> NDArray[np.float64]:
        angle = random.uniform(0, 2 * np.pi)
        return np.asarray((x * np.cos(angle) + y * np.sin(angle)) / size + random.uniform(-reach, reach))

    kind = random.choice(["falls off", "soft shadow", "hard shadow"])
    darkest = random.uniform(0.4, 0.6)
    if kind == "falls off":
        way = np.clip(across(0.0) + 0.5, 0, 1)
        return np.asarray(1 - (1 - darkest) * way)
    softness = random.uniform(0.06, 0.15) if kind == "soft shadow" else random.uniform(0.001, 0.008)
    slope = 1 - 0.15 * np.clip(across(0.0) + 0.5, 0, 1)
    return np.asarray(slope * (1 - (1 - darkest) / (1 + np.exp(np.clip(-across(0.15) / softness, -50, 50)))))


def _grain(shape: tuple[int, int], size: float, random: np.random.Generator) -> NDArray[np.float64]:
    """Return smooth noise of mean 0 and standard deviation 1, its spots `size` pixels wide."""
    noise = ndimage.gaussian_filter(random.normal(0, 1, shape), size)
    return np.asarray((noise - noise.mean()) / noise.std())
