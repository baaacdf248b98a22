"""Compile programs around an exported header with the warnings that a careful project may use, and run them."""

import shutil
import subprocess
from collections.abc import Iterable
from itertools import cycle
from pathlib import Path

C = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wshadow", "-Wdouble-promotion")
SELF_TEST = "-DNET_SELF_TEST"
SANITIZERS = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
COMPILERS = [name for name in ("gcc", "clang", "clang-19") if shutil.which(name)]


def take_turns(values: Iterable[int]) -> list[tuple[str, int]]:
    """Pair each value with a compiler, the compilers in turns."""
    return list(zip(cycle(COMPILERS), values, strict=False))


def build(compiler: str, program: str, folder: Path, *flags: str, suffix: str = "c") -> Path:
    """Compile the source text `program` in `folder`, beside the headers it includes, and return the executable."""
    source, executable = folder / f"program.{suffix}", folder / "program"
    source.write_text(program)
    language = ["-std=c++17", *C[1:]] if suffix == "cpp" else list(C)
    completed = subprocess.run(
        [compiler, *language, *flags, str(source), "-o", str(executable), "-lm"], capture_output=True, text=True
    )
    assert completed.returncode == 0, completed.stderr
    return executable


def run(executable: Path, content: bytes = b"") -> bytes:
    """Run a program with `content` as standard input and return its output."""
    completed = subprocess.run([str(executable)], input=content, capture_output=True)
    assert completed.returncode == 0, completed.stderr.decode(errors="replace")[:2000]
    return completed.stdout


LOGITS = """
#include "%(prefix)s.h"
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    uint8_t *image = (uint8_t *)malloc(%(macro)s_HEIGHT * %(macro)s_WIDTH * %(macro)s_CHANNELS);
    float *logits = (float *)malloc(%(macro)s_CLASSES * sizeof(float));
    %(prefix)s_scratch *scratch = (%(prefix)s_scratch *)malloc(%(macro)s_SCRATCH_BYTES);
    if (sizeof(*scratch) != %(macro)s_SCRATCH_BYTES) {
        return 3;
    }
    while (fread(image, 1, %(macro)s_HEIGHT * %(macro)s_WIDTH * %(macro)s_CHANNELS, stdin) > 0) {
        %(prefix)s_logits(image, logits, scratch);
        fwrite(logits, sizeof(float), %(macro)s_CLASSES, stdout);
    }
#ifdef %(macro)s_SELF_TEST
    if (%(prefix)s_self_test(scratch) > 0) {
        return 4;
    }
#endif
    free(image);
    free(logits);
    free(scratch);
    return 0;
}
"""


def logits_program(prefix: str) -> str:
    """Return a program that reads images and writes logits, in arrays of the heap, whose ends a sanitizer guards.

    With the header's macro for it, it exits with 4 if the self-test fails.
    """
    return LOGITS % {"prefix": prefix, "macro": prefix.upper()}
