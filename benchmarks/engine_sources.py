"""The state of the native engine that a result belongs to: a digest of its sources, which needs no history."""

import hashlib
import subprocess
from pathlib import Path

PROJECT = Path(__file__).parent.parent
_FOLDERS = ("native", "src/convscope/engine")
_OTHERS = (  # the tests, the page's own, pictures, and the two other engines, which train no published row
    "src/convscope/engine/keras",
    "src/convscope/engine/reference.py",
    "src/convscope/engine/reference_layers.py",
    "src/convscope/engine/reference_normalization.py",
    "src/convscope/engine/reference_passes.py",
    "src/convscope/engine/reference_voting.py",
    "src/convscope/engine/reference_windows.py",
    "native/handwriting",
    "native/tests",
    "native/page.cpp",
    "native/page_fields.hpp",
    "native/page_gradients.hpp",
    "native/page.sh",
    "native/wasm32.cmake",
)
_SUFFIXES = {".cpp", ".hpp", ".py", ".pyi", ".sh", ".cmake"}


def digest(project: Path = PROJECT) -> str:
    """Return the SHA-256 over names and contents of the engine's sources, without the tests and the page."""
    paths = sorted(path for folder in _FOLDERS for path in (project / folder).rglob("*") if path.suffix in _SUFFIXES)
    whole = hashlib.sha256()
    for path in paths:
        name = path.relative_to(project).as_posix()
        if not any(name == other or name.startswith(f"{other}/") for other in _OTHERS):
            whole.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()


def commit() -> str:
    """Return the last commit that changed these sources.

    Raises:
        ValueError: if they have changes that are not committed.
    """
    where = ["--", *_FOLDERS, *(f":!{other}" for other in _OTHERS)]
    if changed := _git("status", "--porcelain", *where):
        raise ValueError(f"the engine's sources have changes that are not committed; commit them first:\n{changed}")
    return _git("log", "-1", "--format=%H", *where)


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=PROJECT, check=True, capture_output=True, text=True).stdout.strip()
