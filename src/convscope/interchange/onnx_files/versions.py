"""Which versions of ONNX are written and read, and the packages that do it."""

import os
from collections.abc import Mapping
from typing import Any

from convscope.interchange import runner

IR_VERSIONS: Mapping[int, int] = {15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10}
"""By opset that can be written, the version of the file format that came with it: no runtime knows the one alone.

Below 15, `BatchNormalization` and `Cast` of float16 are other operators. Source: the table of released versions in the
ONNX repository, docs/Versioning.md. (Of itself, the `onnx` package writes its newest format, which runtimes of the
year before refuse.)
"""
DEFAULT_OPSET = 17
"""Of ONNX 1.12 (June 2022): ONNX Runtime reads it from 1.12 on, in the browser too. No layer needs a later one."""
READ_OPSETS = range(7, 26)
"""Since 7 operators broadcast as NumPy does; what comes after 25 may mean something else by the same name."""


def require(package: str) -> Any:
    """Import a module of `onnx` or `onnxruntime`; raises `ConvscopeError` with the next step if it is not installed.

    ONNX Runtime's telemetry is switched off before, unless the user has said otherwise: when imported, it would write a
    device ID and a database into the user's cache, and connect to its vendor a few seconds later.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    return runner.require(package, package.partition(".")[0], "onnx")
