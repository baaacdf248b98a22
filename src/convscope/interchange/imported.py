"""What a file of another program holds, as convscope understands it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture


@dataclass(frozen=True, eq=False)
class Imported:
    """A network read from a file, before it is known what its answers mean.

    Attributes:
        weights: float32 arrays by name, in Keras layout.
        notes: sentences on what became what, and on what the file left open.
        class_names: K names, where the file says them.
    """

    architecture: Architecture
    weights: dict[str, NDArray[np.float32]] = field(repr=False)
    notes: tuple[str, ...] = ()
    class_names: tuple[str, ...] | None = None
