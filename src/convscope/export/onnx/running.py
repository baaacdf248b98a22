"""Run an ONNX file in ONNX Runtime on the processor."""

from pathlib import Path

from convscope.base.errors import InterchangeError, first_line
from convscope.export.runner import FileRunner
from convscope.interchange.onnx_files.protos import read_proto
from convscope.interchange.onnx_files.versions import require


def open_onnx(path: Path | str, *, threads: int = 1) -> FileRunner:
    """Open an ONNX file in ONNX Runtime, on `threads` threads of the processor.

    The file must read `images` (N, H, W, C) uint8 and give `logits`, as `write_onnx` writes it.

    Raises:
        InterchangeError: if the file is missing or damaged, needs other files, or has other inputs and outputs.
        ConvscopeError: if `onnxruntime` is not installed.
    """
    runtime = require("onnxruntime")
    content = read_proto(Path(path))[0].SerializeToString()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors alone
    # Without VNNI, ONNX Runtime's default kernel adds two 8-bit products in 16 bits, which saturates. This chooses
    # another kernel.
    options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no other base class
        raise InterchangeError(f"{path}: ONNX Runtime cannot run it ({first_line(error)}); export it again") from error
    inputs = [(value.name, value.type) for value in session.get_inputs()]
    if inputs != [("images", "tensor(uint8)")] or "logits" not in [output.name for output in session.get_outputs()]:
        raise InterchangeError(
            f"{path}: does not read `images` as bytes and give `logits`; import it, and export that model"
        )
    return FileRunner(
        f"ONNX Runtime {runtime.__version__}", lambda images: session.run(["logits"], {"images": images})[0]
    )
