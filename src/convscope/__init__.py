"""Train a small convolutional network in seconds on a CPU, measure it honestly, and see through every part of it.

`__init__.pyi` lists the public names. Each is imported when it is first used, so that `import convscope` and the
command's help take little longer than Python itself.
"""

import sys
from typing import Any

import lazy_loader

_get, _dir, _names = lazy_loader.attach_stub(__name__, __file__)

# `from convscope import *` must not need scikit-learn.
__all__ = sorted(set(_names) - {"CNNClassifier", "__version__"})


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("convscope")
    if name not in _names:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=sys.modules[__name__])
    return _get(name)


def __dir__() -> list[str]:
    return sorted([*__all__, "CNNClassifier", "__version__"])
