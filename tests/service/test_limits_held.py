"""The service as a process keeps the limits of docs/serving.md: memory, deadlines, and its end after SIGTERM."""

import os
import re
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from tests.shared import encode_picture

from .test_server import SCRIPT, head, running, wait_for

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[2] / "docs"
UNIT_MIB = 1024 * int(re.findall(r"^MemoryMax=(\d+)G$", (DOCS / "serving.md").read_text(), re.MULTILINE)[0])
PIXELS = 25_000_000
KILLED_AFTER_HALF_A_SECOND = "from convscope.service import server; server._LAST_SECONDS = 0.5\n" + SCRIPT
DEFAULTS = {"body_bytes": 16 << 20, "body_seconds": 30.0, "send_seconds": 30.0, "threads": 2}


def large_pictures() -> dict[str, bytes]:
    """Draw eight strokes on 25 megapixels, in the formats that take most memory when decoded."""
    side = int(PIXELS**0.5)
    grey = Image.new("L", (side, side), 240)
    for left in range(300, 300 + 8 * 550, 550):
        grey.paste(20, (left, 600, left + 80, 1800))
    colours = grey.convert("RGB")
    return {
        "jpeg": encode_picture(colours, "JPEG", progressive=True),
        "webp": encode_picture(grey, "WEBP", quality=10, method=0),
        "png": encode_picture(grey.convert("RGBA"), "PNG", compress_level=1),
        "tiff": encode_picture(colours, "TIFF", compression="packbits"),
    }


def noise(side: int, density: float) -> bytes:
    random = np.random.default_rng(0).random((side, side))
    return encode_picture(np.where(random < density, 0, 255).astype(np.uint8), "PNG", compress_level=1)


def test_large_pictures_at_once_fit_the_memory_of_the_unit(folder: Path, tmp_path: Path):
    pictures = large_pictures()
    with running(folder, tmp_path / "log", **DEFAULTS, answer_seconds=300.0) as service:
        paths = {"jpeg": "strings", "png": "strings", "webp": "predict", "tiff": "predict"}
        query = [(f"{service.address}/v1/{path}?explain=false", pictures[kind]) for kind, path in paths.items()]
        with ThreadPoolExecutor(len(query)) as clients:
            answers = list(clients.map(lambda request: httpx.post(request[0], content=request[1], timeout=600), query))
        assert [response.status_code for response in answers] == [200] * len(query)
        assert all(response.json()["size"] == [5000, 5000] for response in answers)
        assert service.mib("VmHWM") < 0.9 * UNIT_MIB


def test_a_picture_of_noise_ends_at_its_deadline_and_others_are_answered(folder: Path, tmp_path: Path):
    with running(folder, tmp_path / "log", **DEFAULTS, answer_seconds=1.0) as service:
        response = httpx.post(service.address + "/v1/strings", content=noise(2000, 0.3), timeout=600)
        assert response.status_code == 503
        assert "was not ready after 1 s" in response.json()["error"]
        small = encode_picture(np.full((60, 40), 255, np.uint8), "PNG")
        assert wait_for(
            lambda: httpx.post(service.address + "/v1/predict", content=small, timeout=600).status_code == 200
        )
        assert service.mib("VmHWM") < 0.9 * UNIT_MIB


def test_it_ends_soon_after_sigterm_despite_open_requests(folder: Path, tmp_path: Path):
    content = noise(2000, 0.3)
    request = head(f"Content-Length: {len(content)}\r\n", "/v1/strings") + content
    limits = DEFAULTS | {"answer_seconds": 600.0, "stop_seconds": 0.5}
    with running(folder, tmp_path / "log", KILLED_AFTER_HALF_A_SECOND, **limits) as service:
        connections = [service.connect() for _ in range(6)]
        for connection in connections:
            connection.sendall(request)
        connections.append(service.connect())
        connections[-1].sendall(head("Content-Length: 1000\r\n"))
        # Connections are accepted in their order, so those above are before this answer.
        assert httpx.get(service.address + "/health", timeout=600).status_code == 200
        os.kill(service.process.pid, signal.SIGTERM)
        assert {read_status(connection) for connection in connections} == {503}
        assert service.process.wait(600) in (0, -signal.SIGKILL)  # it kills itself if a computation does not end
        assert service.lines()


def test_a_thread_that_never_ends_does_not_keep_the_process(folder: Path, tmp_path: Path):
    submit = "import time; app.state.work.threads.submit(time.sleep, 600); serve(app"
    script = KILLED_AFTER_HALF_A_SECOND.replace("serve(app", submit)
    with running(folder, tmp_path / "log", script, stop_seconds=0.5) as service:
        service.process.terminate()
        assert service.process.wait(600) == -signal.SIGKILL
        (last,) = [line for line in service.lines() if line["level"] == "error"]
        assert "the process is killed" in last["message"]


def read_status(connection: socket.socket) -> int:
    with connection, connection.makefile("rb") as file:
        return int(file.readline().split()[1])


def test_stderr_holds_only_json_whatever_a_decoder_prints(folder: Path, tmp_path: Path):
    whole = bytearray(encode_picture(np.zeros((64, 64, 3), np.uint8), "TIFF", compression="tiff_lzw"))
    random = np.random.default_rng(0)
    with running(folder, tmp_path / "log") as service, httpx.Client(base_url=service.address, timeout=600) as client:
        for _ in range(60):
            damaged = bytearray(whole)
            for offset in random.integers(8, len(damaged), 6):
                damaged[offset] = random.integers(256)
            assert client.post("/v1/predict?explain=false", content=bytes(damaged)).status_code in (200, 400, 413)
        service.process.terminate()
        assert service.process.wait(600) == 0
        lines = service.lines()
        assert all({"time", "level", "message"} <= line.keys() for line in lines)
        assert [line for line in lines if line["level"] == "warning"]  # a warning of libtiff
