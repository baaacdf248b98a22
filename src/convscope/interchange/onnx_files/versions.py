"""The versions of ONNX that are written and read, and the import of its packages."""

import os
from collections.abc import Mapping
from typing import Any

from convscope.base import versions

IR_VERSIONS: Mapping[int, int] = {15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10}
"""The opsets that can be written, each with the version of the file format that was released with it.

By default the `onnx` package writes its newest file format, which runtimes of the year before refuse. Below opset 15,
`BatchNormalization` and `Cast` of float16 differ. Source: docs/Versioning.md of the ONNX repository.
"""
DEFAULT_OPSET = 17
"""The opset of ONNX 1.12 (June 2022); ONNX Runtime reads it since 1.12, also in the browser. No layer needs a later
one."""
READ_OPSETS = range(7, 26)
"""Since 7, operators broadcast as NumPy does. After 25, the next opset may change what an operator computes."""


def require(package: str) -> Any:
    """Import a module of `onnx` or `onnxruntime`; raises `ConvscopeError` if it is not installed."""
    # On import, ONNX Runtime writes a device ID and a database into the user's cache, and connects to its vendor a few
    # seconds later. This switches it off, unless the user has set the variable.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    return versions.require(package, package.partition(".")[0], "onnx")
