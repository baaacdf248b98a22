"""An exported header compiled by the system's C compiler and run, to hold it against the model it came from.

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

_COMPILERS = ("cc", "gcc", "clang")
_FLAGS = ("-std=c99", "-O2", "-fPIC", "-shared")
_COMPILE_SECONDS = 300
_FILE = "model.h"
_PROGRAM = """
#include "{file}"
#include <stddef.h>

void shape(int32_t *sizes);
size_t scratch_bytes(void);
void run(const uint8_t *images, int64_t count, float *logits, void *scratch);

void shape(int32_t *sizes)
{{
    sizes[0] = {macro}_HEIGHT;
    sizes[1] = {macro}_WIDTH;
    sizes[2] = {macro}_CHANNELS;
    sizes[3] = {macro}_CLASSES;
}}

size_t scratch_bytes(void)
{{
    return sizeof({prefix}_scratch);
}}

void run(const uint8_t *images, int64_t count, float *logits, void *scratch)
{{
    for (int64_t n = 0; n < count; n++) {{
        {prefix}_logits(images, logits, ({prefix}_scratch *)scratch);
        images += {macro}_HEIGHT * {macro}_WIDTH * {macro}_CHANNELS;
        logits += {macro}_CLASSES;
    }}
}}
"""


class CRunner:
    """A compiled header.

    Attributes:
        runtime: the compiler and its version.
        image_shape: (H, W, C).
    """

    def __init__(self, library: ctypes.CDLL, runtime: str) -> None:
        self._library = library
        self.runtime = runtime
        sizes = np.empty(4, np.int32)
        library.shape(ctypes.c_void_p(sizes.ctypes.data))
        self.image_shape = tuple(sizes[:3].tolist())
        self._num_classes = int(sizes[3])
        library.scratch_bytes.restype = ctypes.c_size_t
        self._scratch_bytes = int(library.scratch_bytes())

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (N, K) for images (N, H, W, C) uint8.

        Raises:
            ValueError: if the images are not uint8 or not of the size that the header reads.
        """
        if images.dtype != np.uint8 or images.shape[1:] != self.image_shape:
            raise ValueError(f"images are {images.dtype} {images.shape}; they must be uint8 (N, *{self.image_shape})")
        images = np.ascontiguousarray(images)
        logits = np.empty((len(images), self._num_classes), np.float32)
        scratch = np.empty(self._scratch_bytes // 4, np.float32)
        pointers = (ctypes.c_void_p(array.ctypes.data) for array in (images, logits, scratch))
        at_images, at_logits, at_scratch = pointers
        self._library.run(at_images, ctypes.c_int64(len(images)), at_logits, at_scratch)
        return logits


def open_c(path: Path, *, compiler: str | None = None) -> CRunner:
    """Compile the header at `path` with `compiler`, or the first of cc, gcc and clang that there is, and load it.

    This runs the code in the file.

    Raises:
        ConvscopeError: if the file cannot be read or is no header that `write_c` wrote, there is no C compiler, or it
            refuses the file.
    """
    program = _program(path)
    command = _compiler(compiler)
    with _temporary_folder() as folder:
        source, library = folder / "run.c", folder / "run.so"
        source.write_text(program)
        shutil.copyfile(path, folder / _FILE)
        done = _run([command, *_FLAGS, str(source), "-o", str(library), "-lm"])
        if done.returncode != 0:
            first = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr[:200])
            raise ConvscopeError(f"{path}: {command} does not compile it ({first.strip()}); export it again")
        version = _run([command, "--version"]).stdout.splitlines()
        try:
            loaded = ctypes.CDLL(str(library))  # stays in memory when the file is gone
        except OSError as error:
            raise ConvscopeError(f"{path}: what {command} made of it cannot be loaded ({error})") from error
    return CRunner(loaded, version[0] if version else command)


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """Give a folder that is removed at the end; raises `ConvscopeError` if there is none or it takes nothing."""
    try:
        with tempfile.TemporaryDirectory(prefix="convscope-") as folder:
            yield Path(folder)
    except OSError as error:
        raise ConvscopeError(
            f"{error.filename or tempfile.tempdir}: cannot be written to ({error.strerror}), so the header is not "
            "compiled; free some space, or set TMPDIR to another folder"
        ) from error


def _program(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConvscopeError(f"{path}: cannot be read ({error}); give a header that convscope exported") from error
    match = re.search(r"^static inline void (\w+)_logits\(const uint8_t \*image, ", text, re.MULTILINE)
    if match is None:
        raise ConvscopeError(f"{path}: no header that convscope exported; it has no function PREFIX_logits")
    return _PROGRAM.format(file=_FILE, prefix=match[1], macro=match[1].upper())


def _compiler(wanted: str | None) -> str:
    for name in _COMPILERS if wanted is None else (wanted,):
        if (found := shutil.which(name)) is not None:
            return found
    looked_for = wanted or ", ".join(_COMPILERS)
    raise MissingPackageError(f"no C compiler ({looked_for}) was found; install one, such as `apt install gcc`")


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_COMPILE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConvscopeError(f"{command[0]}: does not run ({error}); try another C compiler") from error
