"""Compile an exported header and compute with it through `open_c`, and the errors on the way."""

from pathlib import Path

import numpy as np
import pytest
from tests.export.c_header.programs import COMPILERS, build, logits_program
from tests.export.c_header.test_memory import make_model
from tests.random_networks import random_images, random_model

import convscope as cs
from convscope.base.errors import ConvscopeError
from convscope.export.c_header import open_c, write_c
from convscope.export.c_header.header import MAX_STACK_BYTES


@pytest.fixture
def header(tmp_path: Path) -> Path:
    write_c(make_model(cs.Flatten(), cs.Dense(2)), tmp_path / "x.h")
    return tmp_path / "x.h"


@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_runtime_is_the_compiler_and_its_version(compiler: str, header: Path) -> None:
    runtime = open_c(header, compiler=compiler).runtime
    assert compiler.partition("-")[0] in runtime
    assert any(character.isdigit() for character in runtime)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_memory_is_that_of_the_file_and_the_stack_within_the_stated_limit(compiler: str, header: Path) -> None:
    memory = open_c(header, compiler=compiler).memory
    assert memory is not None
    # 96 numbers of the image, and weights for 2 classes, as floats; the 2 logits are part of the working memory.
    assert (memory.flash_bytes, memory.arena_bytes) == (4 * (96 * 2 + 2), 4 * (96 + 2))
    model = random_model(np.random.default_rng(0), for_8_bits=True)
    images = random_images(model.architecture, np.random.default_rng(0), 4)
    write_c(model, header.parent / "net.h", dtype="int8", calibration_images=images, prefix="net")
    for level in ("-O0", "-O3"):
        build(compiler, logits_program("net"), header.parent, level, "-fstack-usage")
        (usage,) = header.parent.glob("*.su")
        assert 0 < sum(int(line.split("\t")[1]) for line in usage.read_text().splitlines()) < MAX_STACK_BYTES


@pytest.mark.parametrize("step", ["tempfile.mkdtemp", "shutil.copyfile", "pathlib.Path.write_text"])
def test_a_full_or_missing_temporary_folder_is_named(step: str, header: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "/tmp/full")

    monkeypatch.setattr(step, refuse)
    with pytest.raises(
        ConvscopeError, match=r"/tmp/full: cannot be written to \(No space left on device\).*set TMPDIR"
    ):
        open_c(header)


def test_images_that_are_not_contiguous_give_the_same_logits(header: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 6, 2), np.uint8)
    runner = open_c(header)
    assert (runner.logits(images[::-2]) == runner.logits(images)[::-2]).all()


def test_without_a_compiler_the_next_step_is_named(header: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConvscopeError, match=r"no C compiler .cc, gcc, clang. was found; install one"):
        open_c(header)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no header that convscope exported"),
        (b"\xff\xfe", "cannot be read"),
        (b"static inline void a_logits(const uint8_t *image, int b);", "does not compile it"),
    ],
)
def test_files_that_are_no_headers_are_named(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "bad.h").write_bytes(content)
    with pytest.raises(ConvscopeError, match=f"bad.h: .*{message}"):
        open_c(tmp_path / "bad.h")
