"""Run an ONNX file in ONNX Runtime on the processor."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import InterchangeError
from convscope.interchange.onnx_files.protos import read_proto
from convscope.interchange.onnx_files.versions import need

_BLOCK_BYTES = 1 << 22
"""Of images are computed at once: the rest of the memory that a call takes does not grow with their number."""


class OnnxRunner:
    """An ONNX file as a network: `images` (N, H, W, C) uint8 in, `logits` (N, K) out."""

    def __init__(self, session: Any, runtime: str) -> None:
        self.runtime = runtime
        self._session = session

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (N, K) float32 for images (N, H, W, C) uint8, block by block.

        Raises:
            ValueError: if the file does not read such images.
        """
        return self.outputs(images, ["logits"])["logits"]

    def outputs(self, images: NDArray[np.uint8], names: list[str] | None = None) -> dict[str, NDArray[np.float32]]:
        """Return the outputs called `names` (all by default); raises as `logits` does, and `KeyError` for no output."""
        given = self._session.get_inputs()[0]
        if images.dtype != np.uint8 or list(images.shape[1:]) != given.shape[1:]:
            raise ValueError(
                f"images are {images.dtype} of shape {images.shape}; the file reads uint8 of shape {given.shape}"
            )
        known = [output.name for output in self._session.get_outputs()]
        names = known if names is None else names
        for name in names:
            if name not in known:
                raise KeyError(f"no output {name!r}; there are {', '.join(known)}")
        step = max(_BLOCK_BYTES // images[:1].nbytes, 1) if len(images) else 1
        blocks = [
            self._session.run(names, {"images": np.ascontiguousarray(images[start : start + step])})
            for start in range(0, max(len(images), 1), step)
        ]
        return {name: np.concatenate(parts) for name, parts in zip(names, zip(*blocks, strict=True), strict=True)}


def open_onnx(path: Path | str, *, threads: int = 1) -> OnnxRunner:
    """Return the ONNX file at `path`, opened by ONNX Runtime on the processor with so many threads.

    The file must read `images` (N, H, W, C) uint8 and give `logits`, as `write_onnx` writes it.

    Raises:
        InterchangeError: if the file is missing or damaged, needs other files, or has other inputs and outputs.
        ConvscopeError: if `onnxruntime` is not installed.
        ValueError: if threads < 1.
    """
    if threads < 1:
        raise ValueError(f"threads is {threads}; it must be at least 1")
    runtime = need("onnxruntime")
    content = read_proto(Path(path))[0].SerializeToString()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Processors without VNNI add two products of 8 bits in 16, and cut off what is larger; this takes another kernel.
    options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own classes have no other root
        raise InterchangeError(f"{path}: ONNX Runtime cannot run it ({_first_line(error)}); export it again") from error
    inputs = [(each.name, each.type) for each in session.get_inputs()]
    if inputs != [("images", "tensor(uint8)")] or "logits" not in [each.name for each in session.get_outputs()]:
        raise InterchangeError(
            f"{path}: does not read `images` as bytes and give `logits`; import it, and export that model"
        )
    return OnnxRunner(session, f"ONNX Runtime {runtime.__version__}")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
