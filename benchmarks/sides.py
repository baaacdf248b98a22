"""The programs that are timed: each is a process that returns one record, with the `seconds` of each repetition."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import notebook
import processes

FOLDER = Path(__file__).parent
PROJECT = FOLDER.parent
PEERS_PYTHON = PROJECT / ".venv-peers" / "bin" / "python"

Record = dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """The interpreter and the folder that this run of the benchmark uses.

    Attributes:
        python: the interpreter that has convscope.
        scratch: a folder that is removed afterwards.
    """

    python: Path
    scratch: Path

    @property
    def weights(self) -> Path:
        """The weights that both sides of the inference rows use, written when first asked for."""
        path = self.scratch / "weights.npz"
        if not path.exists():
            processes.run([self.python, FOLDER / "ours.py", "weights", path], PROJECT)
        return path


@dataclass(frozen=True)
class Side:
    """A name for the table and the function that measures it once."""

    name: str
    measure: Callable[[Bench], Record]


def _ours(*arguments: str) -> Callable[[Bench], Record]:
    return lambda bench: processes.run_json([bench.python, FOLDER / "ours.py", *arguments], PROJECT)


def _peer(script: str, *arguments: str) -> Callable[[Bench], Record]:
    folder = FOLDER / "peers"
    return lambda _: processes.run_json([PEERS_PYTHON, folder / script, *arguments], folder)


def _onnxruntime(threads: int) -> Callable[[Bench], Record]:
    return lambda bench: _peer("onnxruntime_infer.py", "--weights", str(bench.weights), "--threads", str(threads))(
        bench
    )


def _command(*words: str) -> Callable[[Bench], Record]:
    """Measure a whole `convscope` command, from its start to its end, into a folder that is removed afterwards."""

    def measure(bench: Bench) -> Record:
        with TemporaryDirectory(dir=bench.scratch) as folder:
            out = Path(folder) / "run"
            done = processes.run([bench.python, "-m", "convscope", *words, "--out", out, "--json"], Path(folder))
        return {"seconds": [done.seconds], "peak_memory_bytes": done.peak_memory_bytes}

    return measure


SIDES = {
    "epoch": Side("convscope", _ours("epoch")),
    "keras-fit": Side("Keras fit", _peer("keras_fit.py")),
    "tensorflow": Side("TensorFlow", _peer("tensorflow_loop.py")),
    "pytorch": Side("PyTorch", _peer("pytorch_loop.py")),
    "jax": Side("JAX", _peer("jax_loop.py")),
    "fast": Side("convscope", _ours("fast")),
    "fast-process": Side("convscope train", _command("train", "--recipe", "fast")),
    "run": Side("convscope run", _command("run", "--seeds", "1")),  # the notebook trains one of each
    "notebook": Side("notebook", lambda _: notebook.measure()),
    "infer": Side("convscope", _ours("infer")),
    "onnxruntime": Side("ONNX Runtime, 2 threads", _onnxruntime(2)),
    "onnxruntime-1": Side("ONNX Runtime, 1 thread", _onnxruntime(1)),
    "seeds-one-a-core": Side("one a core", _ours("seeds", "one-a-core")),
    "seeds-one-after-another": Side("one after another", _ours("seeds", "one-after-another")),
}
for _row, _options in {
    "vgg": (),
    "m3": (),
    "m5": (),
    "residual": (),
    "residual-bfloat16": ("--precision", "bfloat16"),
}.items():
    _network = _row.removesuffix("-bfloat16")
    SIDES[_row] = Side("convscope", _ours("deep", _network, *_options))
    SIDES[f"tensorflow-{_row}"] = Side("TensorFlow", _peer("tensorflow_deep.py", "--network", _network, *_options))
    SIDES[f"pytorch-{_row}"] = Side("PyTorch", _peer("pytorch_deep.py", "--network", _network, *_options))
