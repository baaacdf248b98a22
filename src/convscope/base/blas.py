"""Limit NumPy's threads: between two products they spin, which costs more than they save where products are small."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ctypes import CDLL
from importlib import import_module

# NumPy's wheels prefix and suffix OpenBLAS's functions; a system's OpenBLAS has the plain names.
_NAMES = tuple(f"{prefix}openblas_{{}}_num_threads{suffix}" for prefix in ("scipy_", "") for suffix in ("64_", ""))


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let NumPy compute its products on one thread until the block ends, where it does so by OpenBLAS."""
    library = None
    # A private module of NumPy, which is linked to OpenBLAS. If a version lacks it, products are only slower.
    with suppress(ImportError, AttributeError, OSError):
        library = CDLL(import_module("numpy.linalg._umath_linalg").__file__)
    name = next((name for name in _NAMES if hasattr(library, name.format("set"))), None)
    if name is None:
        yield
        return
    num_threads = getattr(library, name.format("get"))()
    getattr(library, name.format("set"))(1)
    try:
        yield
    finally:
        getattr(library, name.format("set"))(num_threads)
