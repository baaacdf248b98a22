"""Install the wheels of dist/ as a user would, without a compiler, train with them, and compare the weights' digests.

    make wheels-test                                      with every installed Python from 3.11 to 3.14
    make wheels-test ARGS="--python /opt/python3.13"      with this one
    make wheels-test ARGS="--python ROOT/usr/bin/python3.13 --launcher 'qemu-aarch64 -L ROOT' --images 2000"

Each Python gets an environment of its own, with no program on the PATH, and runs `convscope run` and `convscope train`
there, both with the recipe `fast`. The environment of this script was built from source and trains the same network.
If both use the same instruction set, the digests of the weights must be equal. With `--images`, networks are trained on
so many images of MNIST instead of all, since training is slow in an emulator.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pip as pip_here

import convscope as cs

PROJECT = Path(__file__).parent.parent


def find_pythons() -> Iterator[Path]:
    """Yield each installed Python from 3.11 to 3.14, and print which are not installed."""
    for minor in range(11, 15):
        path = shutil.which(f"python3.{minor}")
        if path and subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:
            yield Path(path)
        else:
            print(f"not tried: Python 3.{minor}, which is not installed")


def install(python: Path, launcher: Sequence[str], folder: Path, dist: Path) -> list[str]:
    """Make an environment with the wheel of `dist` and its requirements, and return the command of its Python."""
    pip = Path(f"{folder}-pip") / "pip"  # a copy of pip alone from this environment, since Debian's Python has no pip
    shutil.copytree(Path(pip_here.__file__).parent, pip)
    subprocess.run([*launcher, python, "-m", "venv", "--without-pip", folder], check=True)
    command = [*launcher, str(folder / "bin" / "python")]
    options = ["--quiet", "--only-binary", ":all:", "--find-links", str(dist)]
    subprocess.run([*command, pip, "install", *options, f"convscope=={cs.__version__}"], check=True)
    return command


def convscope(command: Sequence[str | Path], *words: str | Path, environment: Mapping[str, str] | None = None) -> Any:
    """Run a command of convscope and return its JSON."""
    full_command = [*command, "-m", "convscope", *words, "--json"]
    done = subprocess.run(full_command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(done.stdout)


def train(command: Sequence[str], data: str, out: Path, environment: Mapping[str, str] | None) -> tuple[str, str]:
    """Train a network, and return the instruction set and the digest of its weights."""
    options = ("--dataset", data, "--recipe", "fast", "--seed", "0", "--out", out)
    convscope(command, "train", *options, environment=environment)
    code = "from convscope.engine.processor import instruction_sets; print(instruction_sets()[0])"
    done = subprocess.run([*command, "-c", code], check=True, capture_output=True, text=True, env=environment)
    return done.stdout.strip(), json.loads((out / "run.json").read_text(encoding="utf-8"))["weights_sha256"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", type=Path, help="a Python to try; may be repeated")
    parser.add_argument(
        "--launcher", default="", help="the program that starts a Python of another processor, such as QEMU"
    )
    parser.add_argument("--images", type=int, help="train on so many images of MNIST")
    parser.add_argument("--dist", type=Path, default=PROJECT / "dist", help="the folder of the wheels")
    options = parser.parse_args()
    failed = False
    with TemporaryDirectory() as name:
        folder, data = Path(name), "mnist"
        if options.images:
            data = str(folder / "few.npz")
            mnist = cs.load_dataset("mnist").train
            np.savez(data, images=mnist.images[: options.images], labels=mnist.labels[: options.images])
        source_instructions, source_digest = train([sys.executable], data, folder / "source", None)
        print("from source:", source_instructions, source_digest, flush=True)
        (folder / "nothing").mkdir()
        environment = {"HOME": os.environ["HOME"], "PATH": str(folder / "nothing")}
        launcher = shlex.split(options.launcher)
        launcher = [shutil.which(launcher[0]) or launcher[0], *launcher[1:]] if launcher else []
        for number, python in enumerate(options.python or find_pythons()):
            start = time.monotonic()
            command = install(python, launcher, folder / f"environment-{number}", options.dist)
            print(f"{python}: installed in {time.monotonic() - start:.0f} s", flush=True)
            run = folder / f"run-{number}"
            words = ("--dataset", data, "--recipe", "fast", "--seeds", "1", "--out", run)
            convscope(command, "run", *words, environment=environment)
            instructions, digest = train(command, data, folder / f"train-{number}", environment)
            is_same, is_comparable = digest == source_digest, instructions == source_instructions
            failed |= not (run / "report.html").exists() or (is_comparable and not is_same)
            verdict = "the weights from source" if is_same else "no other build to compare"
            if is_comparable and not is_same:
                verdict = "OTHER WEIGHTS"
            print(f"{python}: {instructions} {digest}: {verdict}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
