"""Load a service with clients that send requests without a pause: throughput, latency and errors, by kind of request.

python benchmarks/service_load.py [--run RUN] [--clients 32] [--seconds 60] [--threads N]

Each client keeps one connection and sends in turns a picture for a prediction with steps and attribution, and a picture
for the prediction alone. Without RUN, a network is trained for an epoch first.
Service and clients share this machine.
"""

import argparse
import asyncio
import io
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from itertools import chain
from pathlib import Path

import machine
import numpy as np
from PIL import Image

import convscope as cs
from convscope.prediction import predict

REQUESTS = ("picture, explained", "picture, prediction alone")
NUM_PICTURES = 256
SIDE = 280  # pixels of a picture: a test image ten times as large, dark on white


def train(folder: Path) -> Path:
    data = cs.load_dataset("mnist").train
    model, _ = cs.train(cs.presets.cnn, data, replace(cs.recipes.classic, epochs=1), seed=0)
    cs.save_model(model, folder / "model.safetensors")
    return folder


def draw_png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(255 - image[..., 0]).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(file, "PNG")
    return file.getvalue()


def make_request(path: str, content_type: str, body: bytes) -> bytes:
    about_body = f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{about_body}".encode() + body


def make_requests(images: np.ndarray) -> list[tuple[bytes, ...]]:
    """Make for each image a request of each of `REQUESTS`."""
    rows = []
    for image in images:
        picture = draw_png(image)
        rows.append(
            (
                make_request("/v1/predict", "image/png", picture),
                make_request("/v1/predict?explain=false", "image/png", picture),
            )
        )
    return rows


async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[int, bytes]:
    """Send a request, and return the status and the body of the response."""
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.partition("content-length:")[2].partition("\r\n")[0])
    return int(head.split(" ", 2)[1]), await reader.readexactly(length)


async def run_client(
    number: int, port: int, rows: list, labels: np.ndarray, end: float, latencies: dict, errors: Counter
) -> None:
    """Send requests until `end`, and add the latency of each to `latencies` and what failed to `errors`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    turn = number
    while time.perf_counter() < end:
        kind, index = turn % len(REQUESTS), (turn * 7) % len(rows)
        start = time.perf_counter()
        try:
            status, body = await asyncio.wait_for(send(reader, writer, rows[index][kind]), 60)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            errors[type(error).__name__] += 1
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
            continue
        latencies[kind].append(time.perf_counter() - start)
        if status != 200:
            errors[str(status)] += 1
        elif turn % 16 == 0 and json.loads(body)["label"] != labels[index]:  # few, so that checking costs little
            errors["another label than predict returns"] += 1
        turn += 1
    writer.close()


async def run_clients(
    port: int, rows: list, labels: np.ndarray, clients: int, seconds: float
) -> tuple[dict, Counter, float]:
    """Run the clients at the same time: (latencies by kind of request, errors, seconds)."""
    latencies: dict[int, list[float]] = {kind: [] for kind in range(len(REQUESTS))}
    errors: Counter = Counter()
    start = time.perf_counter()
    end = start + seconds
    await asyncio.gather(*(run_client(n, port, rows, labels, end, latencies, errors) for n in range(clients)))
    return latencies, errors, time.perf_counter() - start


@contextmanager
def start_service(run: Path, threads: int | None, log: Path):
    """Start a service of `run` as a process of its own; yield (pid, port)."""
    command = [sys.executable, "-m", "convscope", "serve", f"load={run}", "--port", "0"]
    command += ["--json", *(["--threads", str(threads)] if threads else [])]
    with log.open("wb") as stderr, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr) as process:
        try:
            text = b""
            while not text.endswith(b"\n}\n"):
                text += process.stdout.readline()
            yield process.pid, int(json.loads(text)["address"].rpartition(":")[2])
        finally:
            process.terminate()
            code = process.wait(60)
    if code:
        raise SystemExit(f"the service ended with {code}; {log} tells why")


def read_resident_mib(pid: int) -> tuple[float, float]:
    """Read the MiB that a process has in memory: (now, at most so far)."""
    text = Path(f"/proc/{pid}/status").read_text()
    return tuple(int(text.partition(key)[2].split()[0]) / 1024 for key in ("VmRSS:", "VmHWM:"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = arguments.run or train(Path(folder))
        images = cs.load_dataset("mnist").test.images[:NUM_PICTURES]
        model = cs.load_model(run)
        pictures = [np.asarray(Image.open(io.BytesIO(draw_png(image)))) for image in images]
        labels = np.array([prediction.label for prediction in predict(model, pictures)])
        rows = make_requests(images)
        # `predict` prepares a picture, inference takes the image as it is: where their labels differ, both are correct.
        same = np.flatnonzero(labels == model.predict(images))
        rows, labels = [rows[index] for index in same], labels[same]
        with start_service(run, arguments.threads, Path(folder) / "log") as (pid, port):
            asyncio.run(run_clients(port, rows, labels, arguments.clients, min(3, arguments.seconds)))  # to warm up
            before, _ = read_resident_mib(pid)
            latencies, errors, seconds = asyncio.run(
                run_clients(port, rows, labels, arguments.clients, arguments.seconds)
            )
            after, peak = read_resident_mib(pid)
    about = machine.describe()
    print(f"device            {about['processor']}, {about['cores']} cores, load {machine.load()}")
    packages = ("convscope", "fastapi", "uvicorn", "h11", "pydantic", "numpy", "pillow")
    print(f"python            {platform.python_version()}; {', '.join(f'{name} {version(name)}' for name in packages)}")
    print(f"clients           {arguments.clients} for {seconds:.1f} s, {len(rows)} pictures of {SIDE} x {SIDE}")
    total = sum(map(len, latencies.values()))
    print(f"requests          {total:,}, {total / seconds:,.0f} a second")
    print(f"errors            {sum(errors.values())} {dict(errors) if errors else ''}")
    print(f"memory            {before:.0f} MiB before, {after:.0f} MiB after, {peak:.0f} MiB at most")
    print(f"{'latency in ms':<26}{'n':>8}{'p50':>8}{'p95':>8}{'p99':>8}{'max':>8}")
    for name, values in [
        *((REQUESTS[kind], seconds) for kind, seconds in latencies.items()),
        ("all", list(chain.from_iterable(latencies.values()))),
    ]:
        quantiles = 1000 * np.quantile(values, [0.5, 0.95, 0.99, 1])
        print(f"{name:<26}{len(values):>8,}" + "".join(f"{value:>8.1f}" for value in quantiles))
    raise SystemExit(1 if errors else 0)


if __name__ == "__main__":
    main()
