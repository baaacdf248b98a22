"""The layers that stand in the way of taking over a model, told all at once."""

from convscope.base.errors import ArchitectureError
from convscope.interchange.keras_files.graph import KerasLayer
from convscope.interchange.keras_files.refusal import RefusedError, quoted

_MOST_TOLD = 40


class Problems:
    """Collects which layers are not supported, and why."""

    def __init__(self, num_layers: int) -> None:
        self._num_layers = num_layers
        self.found: list[str] = []

    def add(self, layer: KerasLayer, why: Exception) -> None:
        """Note that `layer` cannot be taken over."""
        text = str(why)
        if isinstance(why, ArchitectureError):  # names our layer, which has no name yet
            text = text.removeprefix(f"{layer.class_name}: ")
        self.found.append(f"{quoted('/'.join(layer.path))} ({layer.class_name[:40]}): {text}")

    def refuse(self) -> None:
        """Raise `RefusedError` if anything was found."""
        if self.found:
            told = "; ".join(self.found[:_MOST_TOLD])
            more = f"; and {len(self.found) - _MOST_TOLD} more" if len(self.found) > _MOST_TOLD else ""
            raise RefusedError(f"{len(self.found)} of its {self._num_layers} layers cannot be taken over: {told}{more}")
