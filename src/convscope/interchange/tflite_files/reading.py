"""Read a model of TensorFlow Lite (`.tflite`) as layers, without TensorFlow: nothing in it is run."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from convscope.interchange.imported import ROUNDS, Imported
from convscope.interchange.refusal import ModelFileError, open_model_file
from convscope.interchange.tflite_files.flatbuffer import read_root
from convscope.interchange.tflite_files.graph import TfliteGraph
from convscope.interchange.translation.image import Size
from convscope.interchange.translation.network import build_network

_MAX_BYTES = 1 << 28
_DAMAGE = (ArithmeticError, IndexError, TypeError, ValueError)  # what a damaged file can cause in the reader


def read_tflite(path: Path | str, *, image_shape: Size | None = None, output: str | None = None) -> Imported:
    """Read the network in a file of TensorFlow Lite; arguments and errors as of `read_network`.

    A network that computes in whole numbers becomes one in float32, with a note.
    """
    with open_model_file(Path(path)) as file:
        content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise ModelFileError(f"is larger than {_MAX_BYTES >> 20} MiB; only small networks are read")
        # A damaged file can have any numbers. Those that are not finite are refused later, by the weight's name.
        with np.errstate(all="ignore"):
            try:
                graph = TfliteGraph(read_root(content), len(content))
            except _DAMAGE as error:
                raise ModelFileError(f"is a damaged TensorFlow Lite model ({error!s:.80}); use another copy") from error
            imported = build_network(graph.graph, image_shape, output)
    notes = (*imported.notes, ROUNDS) if graph.is_quantized else imported.notes
    return replace(imported, notes=notes, program="TensorFlow Lite")
