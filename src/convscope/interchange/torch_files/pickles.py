"""Read what `torch.save` wrote without unpickling: its opcodes are looked at, and nothing that they name is called.

Tensors become a note of where their numbers lie. Everything that is neither a tensor nor plain data becomes `Foreign`,
which is no more than a name. Source: Python's pickletools, which only splits the bytes into opcodes.
"""

from dataclasses import dataclass
from pickletools import genops
from typing import Any

MAX_BYTES = 1 << 23
"""A weight takes some 200 bytes."""
_TENSORS = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor")
_PARAMETERS = ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state")
_DATA = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES",
})  # fmt: skip
"""The opcodes of numbers and texts."""


@dataclass(frozen=True)
class Foreign:
    """An object that is not made: the full name of its class or function."""

    name: str


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor's numbers lie: which of them, in the storage `key`, counted in numbers of the storage's type."""

    key: str
    storage_type: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_pickle(content: bytes) -> Any:
    """Return what a pickle describes, in dictionaries, lists, tuples, texts, numbers, `StoredTensor` and `Foreign`.

    Raises:
        ValueError: if it is too large, damaged, or uses an opcode that no model needs.
    """
    if len(content) > MAX_BYTES:
        raise ValueError(f"its description has {len(content):,} bytes; at most {MAX_BYTES:,} are read")
    machine = _Machine()
    try:
        for opcode, argument, _ in genops(content):
            if opcode.name == "STOP":
                return machine.stack.pop()
            machine.step(opcode.name, argument)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"its description is damaged ({' '.join(str(error).split())[:80]})") from error
    raise ValueError("its description is incomplete")


class _Machine:
    """The stack on which a pickle puts its objects together."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        stack = self.stack
        match name:
            case "PROTO" | "FRAME":
                pass
            case "MARK":
                self._marks.append(len(stack))
            case "MEMOIZE":
                self._memo[len(self._memo)] = stack[-1]
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                self._memo[argument] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(self._memo[argument])
            case "POP":
                stack.pop()
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[name])
            case "EMPTY_DICT" | "EMPTY_LIST":
                stack.append({} if name == "EMPTY_DICT" else [])
            case "EMPTY_TUPLE":
                stack.append(())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(self._last(int(name[-1]))))
            case "TUPLE" | "LIST":
                items = self._marked()
                stack.append(tuple(items) if name == "TUPLE" else items)
            case "DICT" | "SETITEMS":
                pairs = self._marked()
                if name == "DICT":
                    stack.append({})
                self._set(pairs)
            case "SETITEM":
                self._set(self._last(2))
            case "APPEND" | "APPENDS":
                items = self._last(1) if name == "APPEND" else self._marked()
                if isinstance(stack[-1], list):
                    stack[-1].extend(items)
            case "GLOBAL":
                stack.append(Foreign(argument.replace(" ", ".")))
            case "STACK_GLOBAL":
                stack.append(Foreign(".".join(self._last(2))))
            case "REDUCE" | "NEWOBJ":
                stack.append(_made(*self._last(2)))
            case "BUILD":
                stack.pop()  # attributes of what is no plain data
            case "BINPERSID":
                stack.append(tuple(stack.pop()))
            case _:
                if name not in _DATA:
                    raise ValueError(f"it has the opcode {name}")
                stack.append(argument)

    def _last(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise IndexError
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def _marked(self) -> list[Any]:
        start = self._marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def _set(self, pairs: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, dict):
            target.update(zip(pairs[::2], pairs[1::2], strict=True))


def _made(function: Any, arguments: Any) -> Any:
    """Return what a call would make, if it is a tensor or a dictionary."""
    name = function.name if isinstance(function, Foreign) else ""
    if name == "collections.OrderedDict":
        return dict(arguments[0] if arguments else [])
    if name in _PARAMETERS:
        return arguments[0]
    if name in _TENSORS:
        (_, storage_type, key, *_), offset, shape, strides = arguments[:4]
        if not all(isinstance(number, int) for number in (offset, *shape, *strides)):
            raise TypeError
        return StoredTensor(str(key), storage_type.name, offset, tuple(shape), tuple(strides))
    return Foreign(name)
