"""Build the source distribution and the wheels for Linux, on one Linux machine, into dist/.

    make wheels
    make wheels ARGS="--only musllinux_1_2_x86_64"

Each platform has one wheel for Python 3.12 and later (the stable ABI) and one for Python 3.11. Zig compiles and links.
The kernels are compiled by GCC first, once for each processor: a network that is trained by a wheel then has the same
weights, bit for bit, as one trained by a build from source, which uses GCC too. `try_wheels.py` compares them.

Wheels for macOS and Windows are built by the workflow `wheels.yml`: Zig compiles for macOS, but its linker does not
know the options of nanobind, and an extension for Windows must be linked with Python's own library for Windows.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parent.parent
BUILD = PROJECT / "build" / "wheels"
TOOLS = Path(sysconfig.get_path("scripts"))

SOURCES = {
    "CHANGELOG.md",
    "CMakeLists.txt",
    "LICENSE",
    "NOTICE",
    "PKG-INFO",
    "README.md",
    "native",
    "pyproject.toml",
    "src",
}
"""The files and folders of the source distribution."""


@dataclass(frozen=True)
class Target:
    """A platform that wheels are built for.

    Attributes:
        tag: the platform in the wheel's name.
        zig: the platform as Zig names it, for glibc with its oldest version.
        processor: as CMake names it.
        suffix: the end of an extension's name, after "cpython-311-".
    """

    tag: str
    zig: str
    processor: str
    suffix: str

    @property
    def gcc(self) -> str:
        """The compiler of the kernels."""
        return f"{self.processor}-linux-gnu-g++"


TARGETS = (
    Target("manylinux_2_17_x86_64", "x86_64-linux-gnu.2.17", "x86_64", "x86_64-linux-gnu"),
    Target("manylinux_2_17_aarch64", "aarch64-linux-gnu.2.17", "aarch64", "aarch64-linux-gnu"),
    Target("musllinux_1_2_x86_64", "x86_64-linux-musl", "x86_64", "x86_64-linux-musl"),
    Target("musllinux_1_2_aarch64", "aarch64-linux-musl", "aarch64", "aarch64-linux-musl"),
)


def run(*command: str | Path, **environment: str | Path) -> None:
    """Run a program in the project's folder, with further variables in its environment.

    Programs of wheels/requirements.txt are found before those of the system.
    """
    words = list(map(str, command))
    print("+", *words, file=sys.stderr, flush=True)
    path = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"
    # Every file has the time of the last commit, so that building twice gives the same bytes.
    last = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=PROJECT, check=True, capture_output=True, text=True)
    further = {name: str(value) for name, value in environment.items()} | {"SOURCE_DATE_EPOCH": last.stdout.strip()}
    subprocess.run(words, cwd=PROJECT, check=True, env={**os.environ, "PATH": path, **further})


def find_pythons() -> Iterator[Path]:
    """Yield Python 3.11 and the latest of 3.12 to 3.14, and print which of the two is not installed."""
    for names, purpose in ((["3.11"], "Python 3.11"), (["3.14", "3.13", "3.12"], "Python 3.12 and later")):
        for name in names:
            path = shutil.which(f"python{name}")
            if path and subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:
                yield Path(path)
                break
        else:
            print(f"left out: the wheels for {purpose}; needs python{names[-1]} and its headers", file=sys.stderr)


def find_headers(python: Path) -> Path:
    """Make a folder of headers for Zig with Python's pyconfig.h, in a subfolder for each processor.

    Debian's Python.h includes pyconfig.h from such a subfolder of /usr/include. Zig does not search /usr/include, since
    it compiles for other systems.
    """
    code = (
        "import sysconfig as s; print(s.get_config_h_filename(), s.get_config_var('MULTIARCH'), s.get_python_version())"
    )
    words = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    header, multiarch, version = Path(words[0]), *words[1:]
    debian_header = header.parent.parent / multiarch / header.parent.name / header.name
    for processor in ("x86_64", "aarch64"):  # one header for both: the stable ABI has nothing that differs
        folder = BUILD / "headers" / f"{processor}-linux-gnu" / f"python{version}"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(debian_header if debian_header.exists() else header, folder)
    return BUILD / "headers"


def make_kernels(compiler: str, processor: str) -> Path:
    """Compile the kernels by GCC, and return their archive."""
    folder = BUILD / f"kernels-{processor}"
    run("cmake", "-G", "Ninja", "-S", PROJECT, "-B", folder, "-DCONVSCOPE_TESTS=ON", "-DCMAKE_BUILD_TYPE=Release",
        "-DCMAKE_SYSTEM_NAME=Linux", f"-DCMAKE_SYSTEM_PROCESSOR={processor}", f"-DCMAKE_CXX_COMPILER={compiler}",
        "-DCMAKE_COMPILE_WARNING_AS_ERROR=ON")  # fmt: skip
    run("cmake", "--build", folder, "--target", "kernels")
    return folder / "libkernels.a"


def build_wheel(python: Path, target: Target, kernels: Path, dist: Path) -> None:
    """Build the wheel of `python` for `target`.

    Raises:
        ValueError: if a wheel needs a newer Linux than its tag says, or other libraries.
    """
    output = BUILD / "output"
    shutil.rmtree(output, ignore_errors=True)
    packages = sysconfig.get_path("purelib")  # the build tools are pure Python, which any version can import
    options = [f"--toolchain={PROJECT}/wheels/zig.cmake", "-DCMAKE_COMPILE_WARNING_AS_ERROR=ON"]
    options += [f"-DCONVSCOPE_KERNELS={kernels}"]
    run(python, "-m", "build", "--wheel", "--no-isolation", "--outdir", output,
        PYTHONPATH=packages, CXXFLAGS=f"-isystem {find_headers(python)}",
        CMAKE_ARGS=" ".join(options), CMAKE_GENERATOR="Ninja",
        SKBUILD_BUILD_DIR=BUILD / f"{target.tag}-{python.name}",
        _PYTHON_HOST_PLATFORM=f"linux-{target.processor}",
        SETUPTOOLS_EXT_SUFFIX=f".cpython-311-{target.suffix}.so",
        CONVSCOPE_ZIG=Path(packages) / "ziglang" / "zig", CONVSCOPE_TARGET=target.zig,
        CONVSCOPE_PROCESSOR=target.processor)  # fmt: skip
    (wheel,) = output.iterdir()
    if "musl" in target.tag:  # without auditwheel, which looks for musl on this machine
        require_only_musl(wheel)
        run("wheel", "tags", "--remove", "--platform-tag", target.tag, wheel)
    else:
        run("auditwheel", "repair", "--plat", "auto", "--wheel-dir", output, wheel)
        wheel.unlink()
    (wheel,) = output.glob("*.whl")
    if target.tag not in wheel.name:
        raise ValueError(f"{wheel.name} is not for {target.tag}")
    shutil.move(wheel, dist)


def name_bill_of_materials(project: Path, version: str) -> Path:
    """Name the file that bill_of_materials.py writes."""
    return project / "build" / f"convscope-{version}.cdx.json"


def require_only_musl(wheel: Path) -> None:
    """Raise a ValueError if an extension of a wheel needs another library than musl's libc.so."""
    with zipfile.ZipFile(wheel) as archive:
        files = [archive.extract(name, wheel.parent) for name in archive.namelist() if name.endswith(".so")]
    for file in files:
        needed = subprocess.run(
            [TOOLS / "patchelf", "--print-needed", file], check=True, capture_output=True, text=True
        )
        if needed.stdout.split() != ["libc.so"]:
            raise ValueError(f"{wheel.name} needs {needed.stdout}")


def check(files: Sequence[Path]) -> None:
    """Check the built files by twine, check-wheel-contents and abi3audit; the first finding ends the program.

    Raises:
        ValueError: if a source distribution has other files than `SOURCES`.
    """
    wheels = [path for path in files if path.suffix == ".whl"]
    for path in set(files) - set(wheels):
        with tarfile.open(path) as archive:
            contents = {name.split("/")[1] for name in archive.getnames() if "/" in name}
        if contents != SOURCES:
            raise ValueError(f"{path.name}: {', '.join(sorted(contents ^ SOURCES))} is missing, or should not be in it")
    run("twine", "check", "--strict", *files)
    run("check-wheel-contents", *wheels)
    for wheel in wheels:
        if "-abi3-" in wheel.name:
            run("abi3audit", "--strict", wheel)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="TAG", help="build for this platform; may be repeated")
    parser.add_argument("--out", type=Path, default=PROJECT / "dist", help="the folder of the files; dist by default")
    options = parser.parse_args()
    if unknown := set(options.only or ()) - {target.tag for target in TARGETS}:
        parser.error(f"{', '.join(unknown)}: the platforms are {', '.join(target.tag for target in TARGETS)}")
    if platform.system() != "Linux":
        parser.error("this needs Linux; elsewhere `pip wheel .` builds a wheel for the machine itself")
    for folder in (options.out, BUILD):  # so that no file of an earlier build gets into a release
        shutil.rmtree(folder, ignore_errors=True)
    run(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", options.out)
    pythons = list(find_pythons())
    archives: dict[str, Path] = {}
    for target in TARGETS:
        if options.only and target.tag not in options.only:
            continue
        if not shutil.which(target.gcc):
            print(
                f"left out: {target.tag}; needs {target.gcc} (Debian: g++-{target.processor}-linux-gnu)",
                file=sys.stderr,
            )
            continue
        if target.gcc not in archives:
            archives[target.gcc] = make_kernels(target.gcc, target.processor)
        for python in pythons:
            build_wheel(python, target, archives[target.gcc], options.out)
    check(sorted(options.out.iterdir()))
    run(sys.executable, PROJECT / "wheels" / "bill_of_materials.py")
    for path in sorted(options.out.iterdir()):
        print(f"{path.stat().st_size / 1e6:5.1f} MB  {path.name}")


if __name__ == "__main__":
    main()
