"""The folders in which downloads are looked for."""

import os
from pathlib import Path

import pytest

from convscope.data.datasets import DATASETS
from convscope.data.datasets.named import caches
from convscope.data.datasets.named.caches import search_folders


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path) -> Path:
    """The home folder of a user without any file or setting."""
    for name in ("CONVSCOPE_DATA", "CONVSCOPE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(caches, "DEBIAN_FOLDER", tmp_path / "debian")
    return tmp_path


def test_the_cache_folders_have_the_documented_order(monkeypatch, home):
    monkeypatch.setenv("CONVSCOPE_DATA", os.pathsep.join((f"{home}/one", "", "~/two")))
    names = ["one/emnist-letters", "one/emnist", "one", "two/emnist-letters", "two/emnist", "two"]
    expected = [*names, ".cache/convscope/emnist", "debian/emnist"]
    assert [str(path.relative_to(home)) for path in search_folders(DATASETS["emnist-letters"])] == expected
    assert search_folders(DATASETS["medmnist:pathmnist"])[0] == home / "one/pathmnist"


def test_a_user_without_a_home_has_the_other_cache_folders(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.setenv("CONVSCOPE_DATA", "~/mine")
    names = [str(candidate) for candidate in search_folders(DATASETS["kmnist"])]
    assert names[0] == "~/mine/kmnist"
    assert not any(".cache" in name for name in names)
