"""Measure an installation: its size, and how long it takes to install, to import and to run for the first time.

    python benchmarks/install.py [--wheel FILE] [--times 10]

A wheel, by default one that is built from this checkout, is installed into a fresh environment from packages that were
fetched before. Then `import convscope` and `import numpy`, and `convscope --help` and a bare command of click, take
turns, each in a fresh process. Their ratios are those of processor times. It prints JSON.
"""

import argparse
import json
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import machine
import processes

PROJECT = Path(__file__).parent.parent
# The smallest command of click, whose help takes the least time that such a help can take.
BARE = "import click; click.command(params=[click.Option(['--name'])])(lambda name: None)(['--help'])"
# A program that prints the bytes on disk of each installed package.
SIZES = """
import importlib.metadata, json, os
def size(package):
    paths = {os.fspath(package.locate_file(file)) for file in package.files or ()}
    return sum(os.stat(path).st_blocks * 512 for path in paths if os.path.exists(path))
print(json.dumps({package.name: size(package) for package in importlib.metadata.distributions()}))
"""


def measure(wheel: Path | None, times: int) -> dict[str, Any]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        packages, environment = folder / "packages", folder / "environment"
        if wheel is None:
            processes.run([sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder, PROJECT], folder)
            (wheel,) = folder.glob("*.whl")
        processes.run([sys.executable, "-m", "pip", "download", "--dest", packages, wheel], folder)
        processes.run([sys.executable, "-m", "venv", environment], folder)
        python, start, finished = environment / "bin" / "python", machine.ticks(), list[processes.Finished]()

        def run(*command: str | Path) -> processes.Finished:
            finished.append(processes.run(command, folder))
            return finished[-1]

        installed = run(python, "-m", "pip", "install", "--no-index", "--find-links", packages, wheel)
        commands: dict[str, list[str | Path]] = {
            "convscope": [python, "-c", "import convscope"],
            "numpy": [python, "-c", "import numpy"],
            "help": [environment / "bin" / "convscope", "--help"],
            "click": [python, "-c", BARE],
        }
        done: dict[str, list[processes.Finished]] = {side: [] for side in commands}
        for command in commands.values():
            run(*command)  # which reads the files into the cache
        for _ in range(times):
            for side, command in commands.items():
                done[side].append(run(*command))
        cpu = {side: median(turn.cpu_seconds for turn in turns) for side, turns in done.items()}
        options = ("--recipe", "fast", "--seeds", "1", "--out", folder / "run")
        first = run(environment / "bin" / "convscope", "run", *options)
        sizes = json.loads(run(python, "-c", SIZES).output)
        busiest = machine.measure_others_share(start, sum(process.cpu_seconds for process in finished))
        return {
            "wheel_bytes": wheel.stat().st_size,
            "environment_bytes": sum(path.lstat().st_blocks * 512 for path in environment.rglob("*")),
            "package_bytes": sizes,
            "install_seconds": installed.seconds,
            "import_cpu_seconds": {side: cpu[side] for side in ("convscope", "numpy")},
            "help_cpu_seconds": {"convscope": cpu["help"], "click": cpu["click"]},
            "ratios": {"import": cpu["convscope"] / cpu["numpy"], "help": cpu["help"] / cpu["click"]},
            "first_run_seconds": first.seconds,
            "times": times,
            "busiest": busiest,
        }


def rows(part: dict[str, Any]) -> list[list[str]]:
    """Format the rows of the table in docs/results.md."""
    packages = sorted(part["package_bytes"].items(), key=lambda item: -item[1])
    largest = ", ".join(f"{name} {size / 1e6:.0f}" for name, size in packages[:5])
    imports, helps = part["import_cpu_seconds"], part["help_cpu_seconds"]
    return [
        ["the wheel", f"{part['wheel_bytes'] / 1e6:.1f} MB"],
        ["a fresh environment with it, on disk", f"{part['environment_bytes'] / 1e6:.0f} MB; in MB: {largest}"],
        ["`pip install` of the wheel and all it needs, already fetched", f"{part['install_seconds']:.1f} s"],
        ["`import convscope`, over `import numpy`",
         f"{part['ratios']['import']:.2f} times: {imports['convscope']:.3f} and {imports['numpy']:.3f} s"],
        ["`convscope --help`, over that of a bare command of click",
         f"{part['ratios']['help']:.2f} times: {helps['convscope']:.3f} and {helps['click']:.3f} s"],
        ["the first `convscope run --recipe fast --seeds 1`", f"{part['first_run_seconds']:.1f} s"],
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path, help="install this one; by default it is built")
    parser.add_argument("--times", type=int, default=10, help="turns of the imports and commands")
    options = parser.parse_args()
    print(json.dumps(measure(options.wheel and options.wheel.resolve(), options.times)))


if __name__ == "__main__":
    main()
