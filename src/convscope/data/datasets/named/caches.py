"""List the folders of this machine that may hold files of a data set, in the order in which they are searched.

First come the user's folders, then convscope's own cache, then the folder of Debian's packages.
"""

import os
from contextlib import suppress
from pathlib import Path

from convscope.data.datasets.named.entries import CatalogueEntry

DEBIAN_FOLDER = Path("/usr/share/datasets")  # where the package dataset-fashion-mnist installs its files


def cache_folder() -> Path | None:
    """Find the folder for copies that can be made again: $CONVSCOPE_CACHE, else a folder in the user's cache.

    None for a user without a home folder.
    """
    if folder := os.environ.get("CONVSCOPE_CACHE"):
        return Path(folder)
    user_cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if user_cache.is_absolute():  # the XDG specification says to ignore relative paths
        return user_cache / "convscope"
    with suppress(RuntimeError):
        return Path.home() / ".cache" / "convscope"
    return None


def search_folders(entry: CatalogueEntry) -> tuple[Path, ...]:
    """List the folders that may hold files of `entry`, in order of preference; they need not exist."""
    # Folders within the one that the user named, such as pathmnist for medmnist:pathmnist; "" is that folder itself.
    names = (entry.name.rpartition(":")[2], entry.folder, "")
    cache = cache_folder()
    roots = [*([cache] if cache else []), DEBIAN_FOLDER]
    folders = [*(root / name for root in data_folders() for name in names), *(root / entry.folder for root in roots)]
    return tuple(dict.fromkeys(folders))


def data_folders() -> tuple[Path, ...]:
    """List the folders that $CONVSCOPE_DATA names, separated as in $PATH."""
    folders = os.environ.get("CONVSCOPE_DATA", "").split(os.pathsep)
    return tuple(Path(os.path.expanduser(folder)) for folder in folders if folder)  # noqa: PTH111 (a user without a home keeps ~)
