"""Make arrays read-only."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)


def freeze_array(array: NDArray[T]) -> NDArray[T]:
    """Copy an array to read-only memory, unless nobody can write to its memory anyway."""
    if _is_writable(array):
        array = array.copy()
        array.flags.writeable = False
    return array


def read_only(array: NDArray[T]) -> NDArray[T]:
    """Return an array that is read-only already, or a read-only view of it."""
    if not array.flags.writeable:
        return array
    view = array.view()
    view.flags.writeable = False
    return view


def _is_writable(array: NDArray[Any]) -> bool:
    """True if the memory of `array` can be written to, through it or through an array that it is a view of."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        if owner.flags.writeable:
            return True
        owner = owner.base
    return False
