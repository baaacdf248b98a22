"""Pictures drawn by integer arithmetic, and digests of their preparation, which must be equal in Python and the page.

`web/tests/generated_pictures.ts` draws the same. After a change of the arithmetic, `python -m tests.generated_pictures`
writes `web/tests/fixtures/handwriting.json` again.
"""

import hashlib
import json
import struct
from pathlib import Path

import numpy as np

from convscope.data.handwriting import STEPS, Handwriting, prepare

COUNT = 200
FILE = Path(__file__).parent.parent / "web" / "tests" / "fixtures" / "handwriting.json"


def mix(keys):
    """Hash keys below 2³² to numbers below 2³² that look random (multiply and xor-shift, as in MurmurHash3)."""
    mixed = np.asarray(keys, np.uint32) * np.uint32(0x9E3779B1)
    mixed = (mixed ^ mixed >> np.uint32(15)) * np.uint32(0x85EBCA6B)
    return mixed ^ mixed >> np.uint32(13)


def generate(number):
    """Return the arguments of `prepare` for picture `number`: boxes on a gradient, with a shadow and noise.

    Each picture has 2²⁰ keys: the first half for the noise of its numbers, the second for what else is drawn.
    """
    first = number << 20

    def draw(slot, below):
        return int(mix([first + (1 << 19) + slot])[0]) % below

    height, width, channels = 1 + draw(0, 160), 1 + draw(1, 160), 1 + 2 * draw(2, 2)
    rows, columns, c = np.ogrid[:height, :width, :channels]
    picture = draw(3, 256) + ((draw(4, 7) - 3) * rows + (draw(5, 7) - 3) * columns) // 4 + 10 * c
    for slot in range(20, 20 + 5 * draw(6, 4), 5):
        top, left = draw(slot, height), draw(slot + 1, width)
        bottom, right = top + 1 + draw(slot + 2, height), left + 1 + draw(slot + 3, 1 + width // 4)
        picture[top:bottom, left:right] = draw(slot + 4, 256)
    if draw(7, 3) == 0:
        picture[:, draw(8, width) :] //= 2
    noise = mix(first + np.arange(picture.size)).reshape(picture.shape) % (1, 4, 20, 256)[draw(9, 4)]
    pixels = np.clip(picture + noise.astype(np.int64), 0, 255).astype(np.uint8)
    shape = (4 + draw(10, 29), 4 + draw(11, 29), 1 + draw(12, 4))
    handwriting = Handwriting(
        ("light", "dark")[draw(13, 2)], 1 + draw(14, 28), draw(15, 10) / 10, centre=draw(16, 4) > 0
    )
    bits = draw(18, 512)
    steps = None if draw(17, 3) == 0 else [step for i, step in enumerate(STEPS) if bits >> i & 1]
    return pixels, *shape, handwriting, steps


def digest(prepared):
    """Return the SHA-256 of a preparation: every stage, the image, the hints and `clipped`."""
    sha256 = hashlib.sha256()
    for stage in prepared.stages:
        words = [stage.name, int(stage.is_taken), *stage.pixels.shape]
        sha256.update(" ".join(map(str, words)).encode() + stage.pixels.tobytes())
    sha256.update(prepared.image.tobytes() + " ".join(prepared.hints).encode() + struct.pack("<d", prepared.clipped))
    return sha256.hexdigest()


def digests():
    """Return the digest of each picture."""
    return [digest(prepare(*generate(number))) for number in range(COUNT)]


if __name__ == "__main__":
    FILE.write_text(json.dumps(digests(), indent=2) + "\n", encoding="utf-8")
