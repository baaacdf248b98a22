import os
from pathlib import Path

import pytest

from convscope.data.datasets import DATASETS
from convscope.data.datasets.named import caches
from convscope.data.datasets.named.caches import data_folders, places

NAMED = ("CONVSCOPE_DATA", "CONVSCOPE_CACHE", "KERAS_HOME", "TORCH_HOME", "XDG_CACHE_HOME")


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path) -> Path:
    """A user without any file or setting."""
    for name in NAMED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(caches, "DEBIAN_FOLDER", tmp_path / "debian")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def folders(name: str) -> list[str]:
    home = Path.home()
    return [str(place.relative_to(home) if place.is_absolute() else place) for place in found(name)]


def found(name: str) -> tuple[Path, ...]:
    return places(DATASETS[name])


def test_the_places_come_in_the_documented_order(monkeypatch):
    monkeypatch.setenv("CONVSCOPE_DATA", str(Path.home() / "mine"))
    assert folders("fashion-mnist") == [
        "mine/fashion-mnist", "mine/FashionMNIST/raw", "mine/FashionMNIST", "mine", "data/fashion-mnist",
        "data/FashionMNIST/raw", "data/FashionMNIST", "data", "datasets/fashion-mnist", "datasets/FashionMNIST/raw",
        "datasets/FashionMNIST", "datasets", ".cache/convscope/fashion-mnist", "debian/fashion-mnist",
        ".keras/datasets/fashion-mnist", "data/fashion-mnist", "data/FashionMNIST/raw", "data/FashionMNIST", "data",
        "datasets/fashion-mnist", "datasets/FashionMNIST/raw", "datasets/FashionMNIST", "datasets",
        ".cache/torch/datasets/fashion-mnist", ".cache/torch/datasets/FashionMNIST/raw",
        ".cache/torch/datasets/FashionMNIST", ".cache/torch/datasets",
    ]  # fmt: skip


def test_medmnist_has_a_folder_of_its_own_and_a_short_name():
    names = folders("medmnist:pathmnist")
    assert names[:2] == ["data/pathmnist", "data/medmnist"]
    assert names[-1] == ".medmnist"
    assert ".medmnist" not in folders("mnist")


def test_emnist_shares_a_folder_with_its_siblings():
    names = folders("emnist-letters")
    assert names[:4] == ["data/emnist-letters", "data/emnist", "data/EMNIST/raw", "data/EMNIST"]


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("KERAS_HOME", "/keras", "/keras/datasets/kmnist"),
        ("KERAS_HOME", "~/keras", "{home}/keras/datasets/kmnist"),
        ("TORCH_HOME", "/torch", "/torch/datasets/KMNIST/raw"),
        ("XDG_CACHE_HOME", "/shared", "/shared/torch/datasets/KMNIST/raw"),
        ("XDG_CACHE_HOME", "/shared", "/shared/convscope/kmnist"),
        ("CONVSCOPE_CACHE", "/own", "/own/kmnist"),
        ("CONVSCOPE_DATA", "~/mine", "{home}/mine/kmnist"),
    ],
)
def test_the_environment_moves_a_place(monkeypatch, home, variable, value, expected):
    monkeypatch.setenv(variable, value)
    assert Path(expected.format(home=home)) in set(found("kmnist"))


def test_several_folders_can_be_named(monkeypatch):
    monkeypatch.setenv("CONVSCOPE_DATA", os.pathsep.join(("/one", "", "/two")))
    assert data_folders() == (Path("/one"), Path("/two"))
    names = [str(place) for place in found("kmnist")]
    assert names.index("/one/kmnist") < names.index("/two/kmnist") < names.index("data/kmnist")


def test_a_user_without_a_home_has_the_places_that_need_none(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setattr(Path, "expanduser", lambda _: homeless())
    monkeypatch.setenv("CONVSCOPE_DATA", "~/mine")
    names = [str(place) for place in found("medmnist:pathmnist")]
    assert names[:2] == ["~/mine/pathmnist", "~/mine/medmnist"]
    assert not any(".medmnist" in name or ".keras" in name or ".cache" in name for name in names)
