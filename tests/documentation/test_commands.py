"""The commands that README and the documentation show, run one after another as a reader would.

Commands of the first pages (`list_first_pages`) run exactly as written, page by page, in a folder that holds only the
reader's own files; MNIST is cut short. Commands of other pages run block by block, on runs that exist already.
"""

import json
import re
import shlex
import shutil
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from tests.interchange.keras_files.keras_archives import archive, hdf5, image, layer, sequential
from tests.interchange.tflite_files.models import Model as TfliteModel
from tests.interchange.torch_files.programs import Program

import convscope as cs
from convscope.cli import main
from convscope.data.corrections.reading import COLUMNS
from convscope.data.datasets.named import catalogue
from convscope.runs import jobs

ROOT = Path(__file__).parent.parent.parent
NOT_FOR_USERS = {"design.md", "style.md"}
SHORTENED = {  # appended to a command, since a later option wins; other tests check the numbers on the pages
    "run": ["--epochs", "1", "--seeds", "1"],
    "train": ["--epochs", "1"],
    "experiment": ["--epochs", "1", "--seeds", "2"],
    "sweep": ["--trials", "2"],
}
ENDLESS = {"serve"}  # tests/service runs it
ELSEWHERE = ("local:", "dask:", "ray:", "mlflow:")  # processes, clusters and servers have tests of their own


def blocks(page: Path) -> list[list[list[str]]]:
    """Return for each block of a page the commands that can be run here, as lists of words after `convscope`."""
    text = page.read_text(encoding="utf-8")
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    commands = [_parse_commands(block) for language, block in fenced if language in ("", "sh", "bash", "console")]
    return [block for block in commands if block]


def _parse_commands(block: str) -> list[list[str]]:
    lines = [line.removeprefix("$ ").partition(" #")[0] for line in block.splitlines()]
    is_command = re.compile(r"(\w+=\S+ )?convscope (?!.*\[OPTIONS\])")  # after a variable's value, but not a usage line
    command_lines = [shlex.split(line) for line in lines if is_command.match(line)]
    commands = [_without_remote_options(words[words.index("convscope") + 1 :]) for words in command_lines]
    return [words for words in commands if words[0] not in ENDLESS and (words[0] != "log" or "--to" in words)]


def _without_remote_options(words: list[str]) -> list[str]:
    """Leave out the options whose value is a process, a cluster or a server."""
    values = {index for index, word in enumerate(words) if word.startswith(ELSEWHERE)}
    return [word for index, word in enumerate(words) if index not in values and index + 1 not in values]


def list_first_pages() -> list[Path]:
    docs = ROOT / "docs"
    return [
        ROOT / "README.md", docs / "quickstart.md", docs / "architecture.md", *sorted((docs / "howto").glob("*.md")),
    ]  # fmt: skip


PAGES = [page for page in sorted((ROOT / "docs").rglob("*.md")) if page.name not in NOT_FOR_USERS]
BLOCKS = [
    pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    if page not in list_first_pages()
    for number, block in enumerate(blocks(page), start=1)
]


@pytest.fixture(scope="module")
def data(small_mnist: cs.Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 training and 150 test images."""
    path, train, test = tmp_path_factory.mktemp("shown") / "my_images.npz", small_mnist.train, small_mnist.test
    arrays = {"x_train": train.images[:400], "y_train": train.labels[:400]}
    np.savez(path, **arrays, x_test=test.images[:150], y_test=test.labels[:150])
    return path


@pytest.fixture(scope="module")
def small_run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("shown") / "run"
    options = ["--dataset", str(data), "--architecture", "cnn", "--epochs", "1", "--out", str(out)]
    completed = CliRunner().invoke(main, ["train", *options])
    assert completed.exit_code == 0, completed.output
    return out


@pytest.fixture
def desk(
    small_run: Path, data: Path, small_folder: Path, dense_model: cs.Model, mnist: cs.Splits, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:  # fmt: skip
    """A folder with the runs and files that commands of the pages name; MNIST is cut short."""
    monkeypatch.chdir(tmp_path)
    cut_mnist_short(monkeypatch)
    for name in ("mnist-cnn-001", "mnist-cnn-002", "fashion-mnist-cnn-001"):
        shutil.copytree(small_run, tmp_path / "runs" / name)
    for name in ("mine", "my_network", "fast"):
        network = cs.presets.ann().to_dict() | {"name": name}
        (tmp_path / f"{name}.json").write_text(json.dumps(network))
    (tmp_path / "my_recipe.json").write_text(json.dumps(cs.recipes.fast.to_dict()))
    shutil.copytree(small_folder, tmp_path / "folder_of_idx_files")
    shutil.copytree(small_folder, tmp_path / "ten-million")
    shutil.copyfile(data, tmp_path / "my_images.npz")
    train = mnist.train
    (tmp_path / "my_model.keras").write_bytes(make_keras_file(dense_model))
    write_torch_file(dense_model, tmp_path)
    make_tflite_model(dense_model).save(tmp_path).rename(tmp_path / "model.tflite")
    rows = [[label, *image.ravel()] for image, label in zip(train.images[:200], train.labels[:200], strict=True)]
    (tmp_path / "digits.csv").write_text("\n".join(",".join(map(str, row)) for row in rows) + "\n")
    return tmp_path


def cut_mnist_short(patch: pytest.MonkeyPatch) -> None:
    """Let the data set `mnist` have 300 training and 100 test images."""
    read_all = catalogue._read_embedded
    patch.setattr(catalogue, "_read_embedded", lambda *file: read_all(*file)[: 300 if "train" in file[1].name else 100])


def make_keras_file(model: cs.Model) -> bytes:
    config = sequential(
        image(28, 28, 1),
        layer("Rescaling", "rescaling", scale=1 / 255),
        layer("Flatten", "flatten"),
        layer("Dense", "dense", units=32, activation="relu"),
        layer("Dense", "dense_1", units=10, activation="softmax"),
    )
    arrays = {
        f"layers/{name}/vars/{number}": model.weights[f"{name}/{part}"]
        for name in ("dense", "dense_1")
        for number, part in enumerate(("kernel", "bias"))
    }
    return archive(config, hdf5(arrays))


@pytest.fixture(scope="module")
def dense_model(mnist: cs.Splits) -> cs.Model:
    """A network that reads pixels divided by 255, so accurate that `import` finds this scaling."""
    layers = (cs.Flatten(), cs.Dense(32, "relu"), cs.Dense(10))
    architecture = cs.Architecture(cs.Input(28, 28), layers)
    return cs.train(architecture, mnist.train.take(np.arange(4000)), cs.Recipe(epochs=5))[0]


def write_torch_file(model: cs.Model, folder: Path) -> None:
    """Write net.pt2, a PyTorch program that computes what `dense_model` does."""
    program, value = Program((1, 1, 28, 28)), "x"
    value = program.call("flatten.using_ints", (1, 784), self=value, start_dim=1)
    for name, units in (("dense", 32), ("dense_1", 10)):
        kernel = program.weight(f"{name}.weight", model.weights[f"{name}/kernel"].T.copy())
        bias = program.weight(f"{name}.bias", model.weights[f"{name}/bias"])
        value = program.call("linear.default", (1, units), input=value, weight=kernel, bias=bias)
        value = program.call("relu.default", (1, units), self=value) if name == "dense" else value
    program.outputs.append(value)
    program.save(folder)


def make_tflite_model(model: cs.Model) -> TfliteModel:
    """Convert `dense_model` to TensorFlow Lite with an input of floats."""
    file = TfliteModel()
    file.tensor("x", (1, 28, 28, 1))
    for name, units, source, result in (("dense", 32, "x", "h"), ("dense_1", 10, "h", "y")):
        file.constant(name, np.ascontiguousarray(model.weights[f"{name}/kernel"].T))
        file.constant(f"{name}/bias", model.weights[f"{name}/bias"])
        file.tensor(result, (1, units))
        relu = {0: ("b", 1)} if result == "h" else {}  # field 0 of the options is the activation, 1 is ReLU
        file.call(9, [source, name, f"{name}/bias"], result, relu)  # operator 9 is FULLY_CONNECTED
    return file


@pytest.fixture
def readers_folder(mnist: cs.Splits, dense_model: cs.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with only the files that the first pages call the reader's own; MNIST is cut short."""
    monkeypatch.chdir(tmp_path)
    cut_mnist_short(monkeypatch)
    for name, labels in (("my_images", "01"), ("class_digits", "37")):
        for label in labels:
            save_digits(mnist.test, int(label), tmp_path / name / label, [f"{n:04}.png" for n in range(20)], size=20)
    save_digits(mnist.test, 4, tmp_path / "new_pictures", ["0000.png", "0001.png"], size=240)
    save_digits(mnist.test, 7, tmp_path, ["seven.jpg"], size=240)
    for label in "01":
        save_digits(mnist.test, int(label), tmp_path / "new_by_class" / label, ["1.jpg", "2.png"], size=90)
    save_digits(mnist.test, 1, tmp_path / "unsorted_pictures", ["1.png", "2.png", "3.png"], size=90)
    pixels = mnist.test.images[:3, 4:24, 4:24, 0].reshape(3, 400)  # of the size of my_images
    table = [[f"pixel{number}" for number in range(400)], *pixels.tolist()]
    (tmp_path / "test.csv").write_text("\n".join(",".join(map(str, row)) for row in table) + "\n")
    train = cs.load_dataset(tmp_path / "my_images").train
    row = (train.files[0], "train", "0", train.class_names[train.labels[0]], "drop", "")
    (tmp_path / "corrections.csv").write_text(f"{','.join(COLUMNS)}\n{','.join(row)}\n")
    write_torch_file(dense_model, tmp_path)
    return tmp_path


def save_digits(digits: cs.Dataset, label: int, folder: Path, names: list[str], size: int) -> None:
    """Write the first digits of a class in dark ink on light paper, as square pictures with these names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, index in zip(names, np.flatnonzero(digits.labels == label), strict=False):
        paper = Image.fromarray(np.pad(255 - digits.images[index, ..., 0], 10, constant_values=255))
        paper.resize((size, size)).save(folder / name)


def find_saved_files(page: Path) -> dict[str, str]:
    """Return the JSON files, by name, that a page asks its reader to save; the text before each names it last."""
    # Split by a group: texts and JSON blocks alternate, and a text comes first.
    parts = re.split(r"^```json\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    names = [re.findall(r"`(\w+\.json)`", text) for text in parts[::2]]
    return {names_before[-1]: block for names_before, block in zip(names, parts[1::2], strict=False)}


def test_commands_are_found_in_the_pages():
    assert sum(len(block) for page in PAGES for block in blocks(page)) >= 40
    without_commands = [page.stem for page in list_first_pages() if not blocks(page)]
    assert without_commands == ["README", "pandas", "weights_as_data"]  # they show only `make` and Python


@pytest.mark.parametrize("page", list_first_pages()[1:], ids=lambda page: page.stem)
@pytest.mark.slow
@pytest.mark.usefixtures("drawn_reports")
def test_the_commands_of_a_first_page_run_as_written(page: Path, readers_folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs, "BUDGET", 1e9)  # the recipe auto tries much in half a minute, and is tested elsewhere
    for name, text in find_saved_files(page).items():
        (readers_folder / name).write_text(text)
    for words in chain(*blocks(page)):
        options = ["--difference", "60"] if words[0] == "plan" else []  # so few images show only large differences
        completed = CliRunner().invoke(main, [*words, *options])
        assert completed.exit_code == 0, (words, completed.output)


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.stem)
def test_every_make_target_on_a_page_exists(page: Path):
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)) <= set(targets)


def test_make_run_is_the_main_command():
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nrun: ")[2].partition("\n\n")[0]
    assert "$(BIN)/convscope run $(ARGS)" in recipe


@pytest.mark.slow
@pytest.mark.usefixtures("desk", "drawn_reports")
@pytest.mark.parametrize("block", BLOCKS)
def test_the_commands_of_a_block_run(block: list[list[str]], data: Path):
    for words in block:
        if "keras" in words and find_spec("keras") is None:
            pytest.skip("Keras is not installed here; tests/interoperability installs it")
        options = [] if "--resume" in words else SHORTENED.get(words[0], [])
        if options and "--dataset" not in words:
            options = [*options, "--dataset", str(data)]
        completed = CliRunner().invoke(main, [*words, *options])
        assert completed.exit_code == 0, (words, completed.output)
