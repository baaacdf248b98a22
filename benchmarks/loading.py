"""Time `load_dataset` on MNIST's training images in every form that it takes, and print medians.

python benchmarks/loading.py [--images 60000] [--rounds 3]

Each form is written into a temporary folder first, without a test split, so that loading divides one off; then every
form is loaded once a round, from the disk's cache.
"""

import argparse
import gzip
import io
import os
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from PIL import Image

import convscope as cs
from convscope.data.datasets.readers.idx import idx_header
from convscope.experiment.machine import read_cpu_name


def write_png(image: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(image).save(content, format="PNG")
    return content.getvalue()


def write_forms(folder: Path, images: np.ndarray, labels: np.ndarray) -> dict[str, Path]:
    """Write images (N, H, W) and labels (N,) in each form, and return where each lies."""
    paths = {name: folder / name for name in ("IDX", "IDX gz", "PNG files")}
    for path in paths.values():
        path.mkdir()
    packers = {"IDX": ("", bytes), "IDX gz": (".gz", gzip.compress)}
    for form, (suffix, pack) in packers.items():
        for kind, digit, array in (("images", 3, images), ("labels", 1, labels)):
            file = paths[form] / f"train-{kind}-idx{digit}-ubyte{suffix}"
            file.write_bytes(pack(idx_header(array.shape) + array.tobytes()))
    np.savez_compressed(folder / "set.npz", images=images, labels=labels)
    rows = np.column_stack([labels, images.reshape(len(images), -1)])
    names = ["label", *(f"pixel{number}" for number in range(rows.shape[1] - 1))]
    np.savetxt(folder / "set.csv", rows, "%d", ",", header=",".join(names), comments="")
    pixels = pa.FixedSizeListArray.from_arrays(pa.array(images.reshape(-1)), images[0].size)
    pa.parquet.write_table(pa.table({"pixels": pixels, "label": labels.astype(np.int64)}), folder / "pixels.parquet")
    pictures = [write_png(image) for image in images]
    structs = [{"bytes": picture, "path": None} for picture in pictures]
    pa.parquet.write_table(pa.table({"image": structs, "label": labels.astype(np.int64)}), folder / "pictures.parquet")
    for label in range(10):
        (paths["PNG files"] / str(label)).mkdir()
    for number, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        (paths["PNG files"] / str(label) / f"{number}.png").write_bytes(picture)
    paths |= {"npz": folder / "set.npz", "CSV": folder / "set.csv", "Parquet, pixels": folder / "pixels.parquet"}
    return paths | {"Parquet, pictures": folder / "pictures.parquet"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    train = cs.load_dataset("mnist").train
    with tempfile.TemporaryDirectory() as folder:
        paths = write_forms(Path(folder), train.images[: options.images, ..., 0], train.labels[: options.images])
        seconds: dict[str, list[float]] = {form: [] for form in paths}
        for _ in range(options.rounds):
            for form, path in paths.items():
                start = time.perf_counter()
                cs.load_dataset(path)
                seconds[form].append(time.perf_counter() - start)
    packages = ("convscope", "numpy", "pillow", "pyarrow")
    print(
        f"{read_cpu_name()}, load {os.getloadavg()[0]:.1f}; {', '.join(f'{name} {version(name)}' for name in packages)}"
    )
    print(f"seconds to load {options.images:,} images of 28 x 28, median [least, greatest], n = {options.rounds}")
    for form, times in seconds.items():
        print(f"{form:20}{median(times):8.2f} [{min(times):.2f}, {max(times):.2f}]")


if __name__ == "__main__":
    main()
