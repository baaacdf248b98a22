"""Write one archive of the corpus: small runs and model files as this version writes them, and their logits.

    python tests/storage/corpus/write.py NAME

writes NAME.zip beside this script; NAME begins with the version, such as 0.1.0. `test_corpus.py` opens all archives,
those of every version, forever: an archive is never written again.
"""

import json
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

import convscope as cs
from convscope.cli import main

FOLDER = Path(__file__).parent
ROOT_NAME = "/corpus"  # replaces the temporary folder's path in the files
_LEFT_OUT = ("report.html", "experiment.html", "clean.html", ".convscope.lock")  # pages can be made again
_TINY = ["--architecture", "tiny697", "--recipe", "fast"]
_LEARNT = ["--epochs", "3", "--batch-size", "4"]  # import refuses a network that guesses


def write(name: str) -> Path:
    """Write the archive, and return its path."""
    path = FOLDER / f"{name}.zip"
    if path.exists():
        raise SystemExit(f"{path} exists; an archive is never written again, choose another name")
    with tempfile.TemporaryDirectory() as folder:
        absolute = Path(folder).resolve()
        os.chdir(absolute)
        _fill(absolute)
        _record_logits(absolute)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for file in sorted(absolute.rglob("*")):
                if file.is_file() and file.name not in _LEFT_OUT:
                    content = file.read_bytes()
                    if file.suffix == ".json":
                        content = content.replace(str(absolute).encode(), ROOT_NAME.encode())
                    archive.writestr(zipfile.ZipInfo(str(file.relative_to(absolute))), content, zipfile.ZIP_DEFLATED, 9)
    return path


def _fill(folder: Path) -> None:
    data = cs.load_dataset("mnist")
    train, test = data.train.take(np.arange(120)), data.test.take(np.arange(50))
    small = {"x_train": train.images[:, 4:24, 4:24], "x_test": test.images[:, 4:24, 4:24]}
    np.savez_compressed(folder / "digits.npz", **small, y_train=train.labels, y_test=test.labels)
    digits = ["--dataset", str(folder / "digits.npz")]
    _convscope("run", *digits, *_TINY, *_LEARNT, "--seeds", "1", "--no-baseline", "--out", "run")
    shutil.copyfile("run/model.safetensors", "model.safetensors")
    _convscope("run", *digits, *_TINY, "--seed", "1", "--seeds", "2", "--no-baseline", "--out", "measured")
    _convscope("report", "measured", "all")
    _convscope("import", "model.safetensors", *digits, "--out", "imported")
    _convscope("ensemble", "run", "measured", "--out", "joined")
    _convscope("experiment", *digits, *_TINY, "--seeds", "2", "--out", "experiment")
    recipe = cs.recipes.fast.to_dict() | {"name": "four-bits", "weight_bits": 4}
    (folder / "recipe.json").write_text(json.dumps(recipe))
    _convscope("train", *digits, "--architecture", "tiny697", "--recipe", "recipe.json", "--out", "low-bit")
    for name in ("measured", "low-bit"):  # to save space; `run` keeps its checkpoints
        shutil.rmtree(folder / name / "checkpoints")
    for name in ("run", "imported"):  # half of the archive's bytes; `measured` keeps its file
        (folder / name / "filters.json").unlink()


def _convscope(*words: str) -> None:
    print("convscope", *words)
    main(list(words), standalone_mode=False)


def _record_logits(folder: Path) -> None:
    """Write each model's logits for the first test images, by the path of its file."""
    with np.load(folder / "digits.npz") as arrays:
        images = arrays["x_test"][:5]
    paths = [path.relative_to(folder) for path in sorted(folder.rglob("model.safetensors"))]
    logits = {str(path): cs.load_model(folder / path).logits(images).round(5).tolist() for path in paths}
    (folder / "expected.json").write_text(json.dumps({"version": cs.__version__, "logits": logits}))


if __name__ == "__main__":
    print(write(sys.argv[1]))
