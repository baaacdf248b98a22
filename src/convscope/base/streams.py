"""Named random streams.

All randomness of a run comes from streams derived from (seed, purpose, epoch) and never from global state: two purposes
cannot disturb each other, and an epoch's stream is known without having drawn the epochs before it, which is what makes
a resumed run equal to an unbroken one.
"""

import hashlib

import numpy as np


def stream_key(seed: int, purpose: str, epoch: int = 0) -> int:
    """Return the 64-bit key of the stream for `purpose` in `epoch` of the run with `seed`.

    The key is the first eight bytes (little-endian) of the SHA-256 of the three, so near seeds give unrelated streams.

    >>> stream_key(0, "shuffle", 1) != stream_key(0, "shuffle", 2)
    True
    """
    digest = hashlib.sha256(f"{seed}/{purpose}/{epoch}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


def random_stream(seed: int, purpose: str, epoch: int = 0) -> np.random.Generator:
    """Return the generator (PCG64) of the stream for `purpose` in `epoch` of the run with `seed`."""
    return np.random.Generator(np.random.PCG64(stream_key(seed, purpose, epoch)))
