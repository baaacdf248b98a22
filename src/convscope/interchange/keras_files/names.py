"""Names for layers that are ASCII letters, digits and underscores, and each its own."""

import re

from convscope.interchange.keras_files.graph import keras_stem
from convscope.interchange.keras_files.refusal import quoted


class Names:
    """Gives out names, near to those that Keras layers have."""

    def __init__(self) -> None:
        self._taken = {"input"}  # the image's own

    def of(self, wanted: str, class_name: str) -> tuple[str, str | None]:
        """Return a free name near `wanted`, and a sentence if it is another."""
        stem = re.sub(r"[^A-Za-z0-9_]", "_", wanted)[:80]
        if not stem.replace("_", ""):
            stem = keras_stem(class_name)
        name, number = stem, 0
        while name in self._taken:
            number += 1
            name = f"{stem}_{number}"
        self._taken.add(name)
        return name, None if name == wanted else f"the layer {quoted(wanted)} is called `{name}` here"
