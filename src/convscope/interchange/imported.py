"""What a file of another program holds, as convscope understands it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.training.model import Model

NAMELESS = "imported"
"""What a network is called that its file gives no name."""


@dataclass(frozen=True, eq=False)
class Imported:
    """A network read from a file, before it is known what its answers mean.

    Attributes:
        weights: float32 arrays by name, in Keras layout.
        notes: sentences on what became what, and on what the file left open.
        class_names: K names, where the file says them.
        program: which program wrote it, with its version where the file says it.
    """

    architecture: Architecture
    weights: Mapping[str, NDArray[np.float32]] = field(repr=False)
    notes: tuple[str, ...] = ()
    class_names: tuple[str, ...] | None = None
    program: str = ""

    def to_model(self, class_names: Sequence[str] | None = None, **source: object) -> Model:
        """Return the model; its classes are called `class_names`, as the file says, or by their numbers.

        Args:
            source: what else its provenance says of the file, as plain JSON.

        Raises:
            ValueError: if the names are not as many as the logits.
        """
        names = class_names or self.class_names or [str(label) for label in range(self.architecture.num_classes)]
        provenance = {"imported": {**source, "program": self.program, "notes": list(self.notes)}}
        return Model(self.architecture, self.weights, tuple(names), provenance)
