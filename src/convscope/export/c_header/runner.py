"""Compile an exported header with the system's C compiler and run it, to compare it with its model.

It runs the code in the file: open only headers that you wrote, or whose writer you trust.
"""

import ctypes
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import ConvscopeError, MissingPackageError
from convscope.export.records import MemoryUse
from convscope.export.runner import FileRunner

_COMPILERS = ("cc", "gcc", "clang")  # the first that is installed
_FLAGS = ("-std=c99", "-O2", "-fPIC", "-shared")  # -fPIC and -shared make a library that ctypes can load
_STACK = "-fstack-usage"  # writes a file .su beside the library: a function a line, with the bytes of its frame
_COMPILE_SECONDS = 300
_FILE = "model.h"
# A function for ctypes: those of the header are static, so a library does not export them.
_PROGRAM = """
#include "{file}"

void run(const uint8_t *images, int64_t count, float *logits, void *scratch);

void run(const uint8_t *images, int64_t count, float *logits, void *scratch)
{{
    for (int64_t n = 0; n < count; n++) {{
        {prefix}_logits(images, logits, ({prefix}_scratch *)scratch);
        images += {macro}_HEIGHT * {macro}_WIDTH * {macro}_CHANNELS;
        logits += {macro}_CLASSES;
    }}
}}
"""


def open_c(path: Path, *, compiler: str | None = None) -> FileRunner:
    """Compile the header at `path` with `compiler`, or the first of cc, gcc and clang that there is, and load it.

    This runs the code in the file.

    Raises:
        ConvscopeError: if the file cannot be read or is no header that `write_c` wrote, there is no C compiler, or it
            refuses the file.
    """
    prefix, sizes = _read_header(path)
    command = _find_compiler(compiler)
    with _temporary_folder() as folder:
        source, library = folder / "run.c", folder / "run.so"
        source.write_text(_PROGRAM.format(file=_FILE, prefix=prefix, macro=prefix.upper()))
        shutil.copyfile(path, folder / _FILE)
        process = _run_command([command, *_FLAGS, _STACK, str(source), "-o", str(library), "-lm"])
        if process.returncode != 0:
            reason = next((line for line in process.stderr.splitlines() if "error" in line), process.stderr[:200])
            raise ConvscopeError(f"{path}: {command} does not compile it ({reason.strip()}); export it again")
        frames = [int(line.split("\t")[1]) for file in folder.glob("*.su") for line in file.read_text().splitlines()]
        memory = MemoryUse(
            flash_bytes=sizes["WEIGHT_BYTES"], arena_bytes=sizes["SCRATCH_BYTES"], stack_bytes=sum(frames) or None
        )
        version = _run_command([command, "--version"]).stdout.splitlines()
        try:
            compiled = ctypes.CDLL(str(library))  # stays in memory when the file is gone
        except OSError as error:
            raise ConvscopeError(f"{path}: what {command} made of it cannot be loaded ({error})") from error

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        logits = np.empty((len(images), sizes["CLASSES"]), np.float32)
        scratch = np.empty(sizes["SCRATCH_BYTES"] // 4, np.float32)  # floats, so that the struct in it is aligned
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (images, logits, scratch)]
        compiled.run(pointers[0], ctypes.c_int64(len(images)), pointers[1], pointers[2])
        return logits

    return FileRunner(version[0] if version else command, run, memory)


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """Make a folder that is removed at the end; raises `ConvscopeError` if it cannot be made or written to."""
    try:
        with tempfile.TemporaryDirectory(prefix="convscope-") as folder:
            yield Path(folder)
    except OSError as error:
        raise ConvscopeError(
            f"{error.filename or tempfile.tempdir}: cannot be written to ({error.strerror}), so the header is not "
            "compiled; free some space, or set TMPDIR to another folder"
        ) from error


def _read_header(path: Path) -> tuple[str, dict[str, int]]:
    """Read the prefix and the sizes from an exported header."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConvscopeError(f"{path}: cannot be read ({error}); give a header that convscope exported") from error
    match = re.search(r"^static inline void (\w+)_logits\(const uint8_t \*image, ", text, re.MULTILINE)
    if match is None:
        raise ConvscopeError(f"{path}: no header that convscope exported; it has no function PREFIX_logits")
    macros = re.findall(rf"^#define {match[1].upper()}_(CLASSES|SCRATCH_BYTES|WEIGHT_BYTES) (\d+)$", text, re.MULTILINE)
    return match[1], dict.fromkeys(("CLASSES", "SCRATCH_BYTES", "WEIGHT_BYTES"), 0) | {
        name: int(number) for name, number in macros
    }


def _find_compiler(wanted: str | None) -> str:
    """Find the path of the compiler `wanted`, or of the first of `_COMPILERS`; raises `MissingPackageError` if none."""
    for name in _COMPILERS if wanted is None else (wanted,):
        if (path := shutil.which(name)) is not None:
            return path
    names = wanted or ", ".join(_COMPILERS)
    raise MissingPackageError(f"no C compiler ({names}) was found; install one, such as `apt install gcc`")


def _run_command(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_COMPILE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConvscopeError(f"{command[0]}: does not run ({error}); try another C compiler") from error
