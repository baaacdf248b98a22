"""Where files of a data set may already lie on this machine, in the order in which they are looked for.

Nothing is read here. First comes what the user named, then convscope's own cache, then the folders of Debian, Keras,
torchvision and MedMNIST, in which other programs have left the same files.
"""

import os
from contextlib import suppress
from pathlib import Path

from convscope.data.datasets.named.entries import CatalogueEntry

DEBIAN_FOLDER = Path("/usr/share/datasets")  # of the package dataset-fashion-mnist
_LOCAL_FOLDERS = ("data", "datasets")  # below the working folder: what torchvision's own examples say


def cache_folder() -> Path | None:
    """Return where copies that can be made again are kept: $CONVSCOPE_CACHE, else a folder in the user's cache.

    None where there is no such place, as for a user without a home.
    """
    if own := os.environ.get("CONVSCOPE_CACHE"):
        return Path(own)
    shared = _shared_cache()
    return shared / "convscope" if shared else None


def places(entry: CatalogueEntry) -> tuple[Path, ...]:
    """Return every folder that may hold files of `entry`, the first first, whether there is one or not."""
    home, shared, cache = _home(), _shared_cache(), cache_folder()
    found: list[Path] = []
    for root in (*data_folders(), *(Path(name) for name in _LOCAL_FOLDERS)):
        found += [*_below(root, entry), root]
    if cache:
        found.append(cache / entry.folder)
    found.append(DEBIAN_FOLDER / entry.folder)
    if keras := _folder("KERAS_HOME", home, ".keras"):
        found.append(keras / "datasets" / entry.folder)
    torch = _folder("TORCH_HOME", shared, "torch")
    for root in (*(home / name for name in _LOCAL_FOLDERS if home), *([torch / "datasets"] if torch else [])):
        found += [*_below(root, entry), root]
    if entry.form == "medmnist" and home:
        found.append(home / ".medmnist")
    return tuple(dict.fromkeys(found))


def data_folders() -> tuple[Path, ...]:
    """Return the folders that $CONVSCOPE_DATA names, one or several as in $PATH."""
    named = os.environ.get("CONVSCOPE_DATA", "")
    return tuple(_without_tilde(folder) for folder in named.split(os.pathsep) if folder)


def _below(root: Path, entry: CatalogueEntry) -> list[Path]:
    """Return a data set's own folders below one that holds several: ours, and torchvision's."""
    names = dict.fromkeys((entry.name.rpartition(":")[2], entry.folder))
    folders = [root / name for name in names]
    if entry.torch_folder:
        folders += [root / entry.torch_folder / "raw", root / entry.torch_folder]
    return folders


def _folder(variable: str, base: Path | None, name: str) -> Path | None:
    """Return the folder that an environment variable names, else `name` below `base`, if there is a base."""
    if named := os.environ.get(variable):
        return _without_tilde(named)
    return base / name if base else None


def _without_tilde(folder: str) -> Path:
    with suppress(RuntimeError):  # a user without a home cannot say ~
        return Path(folder).expanduser()
    return Path(folder)


def _shared_cache() -> Path | None:
    shared = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if shared.is_absolute():  # the XDG specification says to pass over a relative one
        return shared
    home = _home()
    return home / ".cache" if home else None


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:
        return None
