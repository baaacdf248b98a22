"""Measure how many networks 1 to 4 workers of a cluster train per second, on Dask and on Ray, imitated on this machine.

python benchmarks/cluster_scaling.py [--kinds dask,ray] [--workers 4] [--networks 3] [--repeats 3] [--share 0.4]

Scheduler and workers are processes on loopback, one thread each. Where the machine has fewer cores than there are
workers, each may use a share of a core (`--share`, kept by a control group of Linux, which takes root): so four workers
have four times the processor that one has, as they would on four machines, and something is left for the scheduler and
for the process that keeps the networks. The task is `cnn` with the recipe `fast`, as in experiment_throughput.py.

A cluster starts with one worker, and others join it one after another. Each time `--networks` networks are trained for
each worker, after one for each that is not counted. Printed are networks a second, and how many times those of one
worker they are.
"""

import argparse
import os
import platform
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from importlib import import_module
from importlib.metadata import version
from itertools import count as counting
from pathlib import Path

import machine
from experiment_throughput import measure_experiment_rate, spread

import convscope as cs
from convscope.experiment import open_executor

PERIOD_US = 20_000  # shorter than the default of 100 ms, so that a worker is never stopped for long


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", default="dask,ray")
    parser.add_argument("--workers", type=int, default=4, help="at most")
    parser.add_argument("--networks", type=int, default=3, help="networks of each worker in a turn")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--share", type=float, help="share of a core for each worker; by default a fifth of all cores stays free"
    )
    options = parser.parse_args()
    cores = machine.describe()["cores"]
    share = options.share or min(1.0, 0.8 * cores / options.workers)
    kinds = options.kinds.split(",")
    print(f"device            {machine.describe()['processor']}, {cores} cores; a worker has {share:.2g} of a core")
    print(f"taken by others   {100 * machine.measure_busy_share():.0f} % of the processor before the turns")
    libraries = [version({"dask": "distributed"}.get(kind, kind)) for kind in kinds]
    about = [f"{kind} {number}" for kind, number in zip(kinds, libraries, strict=True)]
    print(f"versions          Python {platform.python_version()}, convscope {version('convscope')}, {', '.join(about)}")
    seeds, rates = counting(), dict[tuple[str, int], list[float]]()
    for _ in range(options.repeats):
        for kind in kinds:
            for workers, rate in enumerate(
                measure_growing_cluster(kind, options.workers, options.networks, share, seeds), start=1
            ):
                print(f"{kind}, {workers} at work: {rate:.2f} networks/s", file=sys.stderr)
                rates.setdefault((kind, workers), []).append(rate)
    for (kind, workers), values in rates.items():
        times = [rate / single_rate for rate, single_rate in zip(values, rates[kind, 1], strict=True)]
        plural = "s" if workers > 1 else " "
        print(f"{kind:<5} {workers} worker{plural}   {spread(values)} networks/s, {spread(times)} times one worker")


def measure_growing_cluster(
    kind: str, workers: int, networks: int, share: float, seeds: Iterator[int]
) -> Iterator[float]:
    """Yield networks a second with one worker, with two, and so on."""
    splits = cs.load_dataset("mnist")
    with ExitStack() as stack:
        prefixes = [stack.enter_context(limit_processor(share)) for _ in range(workers)]
        cluster = stack.enter_context(CLUSTERS[kind]())
        executor = None
        for number, prefix in enumerate(prefixes, start=1):
            cluster.add_worker(prefix)
            executor = executor or stack.enter_context(open_executor(cluster.address))
            assert executor is not None
            wait_for_workers(executor, number)
            measure_experiment_rate(executor, splits, [next(seeds) for _ in range(number)])  # which loads the images
            yield measure_experiment_rate(executor, splits, [next(seeds) for _ in range(networks * number)])


def wait_for_workers(executor: Executor, workers: int) -> None:
    """Wait until as many processes as there are workers compute at the same time."""
    while len(set(executor.map(sleep_and_get_pid, range(workers)))) < workers:
        pass


def sleep_and_get_pid(_: int) -> int:
    time.sleep(1)
    return os.getpid()


class Dask:
    """A scheduler of Dask and its workers."""

    def __init__(self) -> None:
        self.port, self.running = find_free_port(), list["subprocess.Popen[bytes]"]()
        self.address = f"dask://127.0.0.1:{self.port}"

    def __enter__(self) -> "Dask":
        self._start([], "scheduler", "--host", "127.0.0.1", "--port", str(self.port))
        wait_for("127.0.0.1", self.port)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.running:
            process.kill()
            process.wait()

    def add_worker(self, prefix: Sequence[str]) -> None:
        self._start(prefix, "worker", f"tcp://127.0.0.1:{self.port}", "--nthreads", "1", "--no-nanny")

    def _start(self, prefix: Sequence[str], kind: str, *words: str) -> None:
        command = [*prefix, sys.executable, "-m", f"distributed.cli.dask_{kind}", *words, "--no-dashboard"]
        self.running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))


class Ray:
    """The head of a cluster of Ray, which computes nothing itself, and nodes of one core.

    Ray listens at the address of this machine, so a token that is made here keeps others away.
    """

    def __init__(self) -> None:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # Ray reads it once in a process
        os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"  # else Ray's server for clients crashes now and then
        self.host, self.port, self.client_port = (
            import_module("ray.util").get_node_ip_address(),
            find_free_port(),
            find_free_port(),
        )
        self.address = f"ray://{self.host}:{self.client_port}"

    def __enter__(self) -> "Ray":
        own = ("--port", str(self.port), "--ray-client-server-port", str(self.client_port))
        self._start([], "--head", *own, "--include-dashboard", "false", "--num-cpus", "0")
        wait_for(self.host, self.client_port)
        return self

    def __exit__(self, *_: object) -> None:
        self._ray([], "stop", "--force")

    def add_worker(self, prefix: Sequence[str]) -> None:
        self._start(prefix, "--address", f"{self.host}:{self.port}", "--num-cpus", "1")

    def _start(self, prefix: Sequence[str], *words: str) -> None:
        any_port = ("--min-worker-port", "0", "--max-worker-port", "0", "--dashboard-agent-listen-port", "0")
        self._ray(prefix, "start", "--object-store-memory", "200000000", *any_port, *words)

    def _ray(self, prefix: Sequence[str], *words: str) -> None:
        command = [*prefix, Path(sys.executable).parent / "ray", *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


CLUSTERS = {"dask": Dask, "ray": Ray}


@contextmanager
def limit_processor(share: float) -> Iterator[list[str]]:
    """Yield the first words of a command that, with all that it starts, takes at most `share` of a core."""
    if share >= 1:
        yield []
        return
    root, group = Path("/sys/fs/cgroup"), f"convscope-{os.getpid()}-{time.monotonic_ns()}"
    is_old = (root / "cpu").is_dir()
    folder = root / "cpu" / group if is_old else root / group
    folder.mkdir()
    quota = int(share * PERIOD_US)
    if is_old:
        (folder / "cpu.cfs_period_us").write_text(f"{PERIOD_US}")
        (folder / "cpu.cfs_quota_us").write_text(f"{quota}")
    else:
        (folder / "cpu.max").write_text(f"{quota} {PERIOD_US}")
    try:
        yield ["sh", "-c", f'echo $$ >{folder}/cgroup.procs; exec "$@"', "sh"]
    finally:
        while True:
            try:
                folder.rmdir()
                break
            except OSError:  # some of its processes have not ended yet
                time.sleep(0.1)


def find_free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_for(host: str, port: int) -> None:
    while True:
        with socket.socket() as probe:
            if probe.connect_ex((host, port)) == 0:
                return
        time.sleep(0.1)


if __name__ == "__main__":
    main()
