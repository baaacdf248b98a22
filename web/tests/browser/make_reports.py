"""Make the pages that the browser tests open, and beside each what Python computes with the same network.

`python make_reports.py FOLDER [NAME ...]` writes FOLDER/NAME/report.html and FOLDER/NAME/expected.json, by default of
all of them. Runs: mnist (the preset cnn with its dense network), fashion (wider and deeper, `same` padding), letters
(26 classes at 20 × 32), wide (16 layers and 100 classes), hostile (three channels, class names that would like to be
markup) and ann (no convolution at all). Their pages have every section, measured on few images, but for those of
fashion and wide. Pages without a run, which have no expected.json: playground, prediction, experiment and labelling,
beside whose page are its pictures.
Beside mnist there is photo.png, a digit under a shadow as a camera would see it.
"""

import json
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from small_evidence import measure_slow_topics, small_evidence, take_first_images

import convscope as cs
from convscope.base.files import write_text
from convscope.base.packing import pack_rounded
from convscope.base.records import from_attributes
from convscope.cli import main as convscope
from convscope.data.datasets import evenly
from convscope.data.image_files import read_picture
from convscope.engine import Weights
from convscope.engine.network import Replacement
from convscope.experiment import RunSpec, run_experiment
from convscope.prediction import predict
from convscope.report import Replay, RunContents, write_report
from convscope.report.evidence import render_evidence
from convscope.report.experiment_page import render_experiment
from convscope.report.labelling_page import PictureToLabel, render_labelling_page
from convscope.report.records import PageRecord
from convscope.runs.listeners import SILENT
from convscope.runs.playground import make_playground
from convscope.runs.predicting import make_explaining_reader
from convscope.runs.run_record import make_run_record
from convscope.storage import open_run
from convscope.training import Checkpoint

FASHION_FOLDER = Path("/usr/share/datasets/fashion-mnist")  # where Debian's package dataset-fashion-mnist puts it
FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>",
    '"><svg onload=alert(1)>',
    "a name of sixty characters that is far too long for any axis",
    "靴 👢",
    "{@html '<img src=x onerror=alert(1)>'}",
    "line\nbreak",
)
LONG = ("Ampelanlage mit Fußgängersignal", "Geschwindigkeitsbegrenzung", "a bicycle leaning on a wall", "Straßenbahn")
LABELS = ("=1+1", "<b>ü", 'it\'s, "so"', "k", "7", *(f"class {number}" for number in range(9)))  # folders
RECIPE = replace(cs.recipes.fast, epochs=2)
PHOTO = "photo.png"
NUM_EXPECTED = 3  # test images whose logits the page must give


def mnist(folder: Path) -> None:
    """The preset cnn and its dense network, by the commands that a user gives."""
    run_command("run", "--architecture", "cnn", "--recipe", "fast", "--epochs", "2", "--seeds", "2", "--out", folder)
    kept = open_run(folder)
    measured = measure_slow_topics(kept.load_model(), take_first_images(cs.load_dataset("mnist")), RECIPE)
    for topic, record in measured.items():  # as `convscope report RUN all` does, of fewer images
        kept.write_evidence(topic, record, kept.load_model())
    run_command("export", "--format", "safetensors", "--format", "js", folder)
    run_command("report", folder)
    write_photo(folder / PHOTO)


def playground(folder: Path) -> None:
    """The page of no run."""
    folder.mkdir(parents=True)
    make_playground(folder / "report.html", SILENT)


def prediction(folder: Path) -> None:
    """The page that `convscope predict` writes of two photos."""
    model, _ = cs.train(cs.presets.ann, take_first_images(cs.load_dataset("mnist")), RECIPE)
    folder.mkdir(parents=True)
    write_photo(folder / PHOTO)
    reader = make_explaining_reader(model, Path("runs/one"))
    assert all(outcome.result for outcome in reader.classify([folder / PHOTO] * 2, None))
    reader.write_page(folder / "report.html", "convscope predict runs/one photo.png photo.png")


def experiment(folder: Path) -> None:
    """The page that `convscope experiment` writes, of two runs of each of two networks, as points of the frontier."""
    few = take_first_images(cs.load_dataset("mnist"))
    networks = [cs.presets.ann(), cs.presets.cnn()]
    runs = run_experiment(networks, few, [RECIPE], range(2), dataset="mnist")
    folder.mkdir(parents=True)
    page = render_experiment(runs.to_record(), "convscope experiment --dataset mnist")
    (folder / "report.html").write_text(page, encoding="utf-8")


def labelling(folder: Path) -> None:
    """The page of suspect labels: twelve pictures of the folder `pictures`, each with the next class suggested."""
    from PIL import Image

    for name in LABELS:
        (folder / "pictures" / name).mkdir(parents=True)
        for number in range(4):
            pixels = np.random.default_rng(number).integers(0, 256, (12, 12), np.uint8)
            Image.fromarray(pixels).save(folder / "pictures" / name / f"{number}.png")
    splits = cs.load_dataset(folder / "pictures")
    train, names = splits.train, splits.class_names
    neighbours = [(train.images[index], int(train.labels[index])) for index in range(5)]
    items = [
        PictureToLabel(train.images[index], train.files[index], "train", index, label, (label + 1) % len(names), 0.95,
                       neighbours)
        for index, label in list(enumerate(train.labels.tolist()))[:36:3]
    ]  # fmt: skip
    page = render_labelling_page("pictures", names, items, 40, "convscope data fix pictures ...")
    write_text(folder / "report.html", page)


def ann(folder: Path) -> None:
    """A dense network by itself, whose page is written again by the command for it."""
    run_command("train", "--architecture", "ann", "--recipe", "fast", "--out", folder)
    kept = open_run(folder)
    model = kept.load_model()
    for topic, record in small_evidence([model], cs.load_dataset("mnist"), kept.recipe).items():
        kept.write_evidence(topic, record, model)
    run_command("report", folder)


def fashion(folder: Path) -> None:
    """Clothes, for a network that is given as JSON; nothing else is measured of it."""
    data = cs.load_dataset(FASHION_FOLDER)
    few = (split.take(np.arange(number)) for split, number in ((data.train, 5_000), (data.test, 1_000)))
    splits = cs.Splits(*(replace(split, class_names=FASHION) for split in few))
    description = json.loads(Path(__file__).with_name("fashion.json").read_text(encoding="utf-8"))
    run(folder, splits, cs.Architecture.from_dict(description), with_evidence=False)


def letters(folder: Path) -> None:
    """26 classes of 20 rows and 32 columns, and layers that the others lack."""
    layers = (
        cs.Conv2D(12, 3, padding="same", use_bias=False),
        cs.BatchNormalization(activation="leaky_relu"),
        cs.MaxPooling2D(2, padding="same"),
        cs.DepthwiseConv2D(3, padding="same", activation="gelu", name="depthwise"),
        cs.Conv2D(12, 1, activation="tanh"),
        cs.Add("max_pooling2d", "relu"),
        cs.Branch("max_pooling2d"),
        cs.Conv2D(6, 1, activation="relu", name="beside"),
        cs.Concatenate("add"),
        cs.ZeroPadding2D(((1, 0), (0, 2))),
        cs.Conv2D(24, (3, 5), strides=(1, 2)),
        cs.Activation("leaky_relu", 0.05),
        cs.AveragePooling2D(2),
        cs.Flatten(),
        cs.Dropout(0.1),
        cs.Dense(26),
        cs.Activation("softmax"),
    )
    names = [chr(ord("A") + label) for label in range(26)]
    run(folder, make_dataset((20, 32, 1), names, "letters"), cs.Architecture(cs.Input(20, 32, 1), layers, "residual"))


def wide(folder: Path) -> None:
    """16 layers and 100 classes with names of all lengths, more than fits on a screen; nothing else is measured."""
    patterns = ("{}", "no. {}", "sign {}", "traffic sign {}", "a traffic sign with the long name {}")
    names = [patterns[label % len(patterns)].format(label) for label in range(100)]
    splits = make_dataset((20, 20, 1), names, "traffic signs")
    run(folder, splits, cs.presets.deep((20, 20, 1), len(names)), with_evidence=False)


def residual(folder: Path) -> None:
    """The preset residual, hardly trained: more layers than stand side by side, and sums that skip them."""
    run_on_few(folder, cs.presets.residual(), [str(digit) for digit in range(10)])


def inception(folder: Path) -> None:
    """Two modules of four branches each, and 40 classes with names of all lengths."""
    layers: list[Any] = [cs.Conv2D(16, 3, padding="same", activation="relu"), cs.MaxPooling2D(2, name="start_0")]
    for module, width in enumerate((8, 12)):
        start = f"start_{module}"
        layers += [
            cs.Conv2D(width, 1, activation="relu", name=f"short_{module}"),
            cs.Branch(start),
            cs.Conv2D(width // 2, 1, activation="relu"),
            cs.Conv2D(width, 3, padding="same", activation="relu"),
            cs.Concatenate(f"short_{module}", name=f"two_{module}"),
            cs.Branch(start),
            cs.Conv2D(width // 2, 1, activation="relu"),
            cs.Conv2D(width, 5, padding="same", activation="relu"),
            cs.Concatenate(f"two_{module}", name=f"three_{module}"),
            cs.Branch(start),
            cs.AveragePooling2D(3, strides=1, padding="same"),
            cs.Conv2D(width, 1, activation="relu"),
            cs.Concatenate(f"three_{module}", name=f"start_{module + 1}"),
        ]
    layers += [cs.GlobalAveragePooling2D(), cs.Dense(40, activation="softmax")]
    names = [("{}", "sign {}", "a traffic sign with the name {}")[label % 3].format(label) for label in range(40)]
    run_on_few(folder, cs.Architecture(cs.Input(28, 28, 1), tuple(layers), "inception"), names)


def colour(folder: Path) -> None:
    """Colour images of four classes with long names."""
    run_on_few(folder, cs.presets.cnn((32, 32, 3), len(LONG)), LONG)


def run_on_few(folder: Path, architecture: cs.Architecture, names: Sequence[str]) -> None:
    """Train a network on few images with these classes, and write its page."""
    splits = make_dataset(architecture.input.shape, names, "patterns", (400, 100))
    run(folder, splits, architecture, with_evidence=False)


def hostile(folder: Path) -> None:
    """Three channels, and names that must stay text."""
    splits = make_dataset((24, 24, 3), HOSTILE, "<img src=x onerror=alert(1)>.npz")
    layers = (
        cs.Conv2D(8, 3, activation="hard_silu"),
        cs.MaxPooling2D(2),
        cs.Conv2D(16, 3),
        cs.PReLU(),
        cs.GlobalAveragePooling2D(),
        cs.Dense(len(HOSTILE), activation="softmax"),
    )
    run(folder, splits, cs.Architecture(cs.Input(24, 24, 3), layers, "colour"))


REPORTS: dict[str, Callable[[Path], None]] = {
    "mnist": mnist,
    "fashion": fashion,
    "letters": letters,
    "wide": wide,
    "hostile": hostile,
    "residual": residual,
    "inception": inception,
    "colour": colour,
    "ann": ann,
    "playground": playground,
    "prediction": prediction,
    "experiment": experiment,
    "labelling": labelling,
}


def run_command(command: str, *arguments: str | Path) -> None:
    """Call `convscope` in this process."""
    convscope([command, "--json", *map(str, arguments)], standalone_mode=False)


def make_dataset(
    shape: tuple[int, int, int], names: Sequence[str], name: str, sizes: tuple[int, int] = (3_000, 600)
) -> cs.Splits:
    """Make a data set with a coarse random pattern for each class; images dim it, move it by a pixel, and add noise."""
    random = np.random.default_rng(0)
    height, width, channels = shape
    patterns = random.random((len(names), height // 4, width // 4, channels)).repeat(4, axis=1).repeat(4, axis=2)

    def split(which: str, number: int) -> cs.Dataset:
        labels = random.integers(0, len(names), number)
        images = patterns[labels] * random.uniform(0.6, 1, (number, 1, 1, 1)) + random.normal(0, 0.25, (number, *shape))
        moves = random.integers(-1, 2, (number, 2))
        moved = [np.roll(image, move, axis=(0, 1)) for image, move in zip(images, moves, strict=True)]
        pixels = (255 * np.clip(moved, 0, 1)).astype(np.uint8)
        return cs.Dataset(pixels, labels, tuple(names), name, which)

    return cs.Splits(split("train", sizes[0]), split("test", sizes[1]))


def run(folder: Path, splits: cs.Splits, architecture: cs.Architecture, *, with_evidence: bool = True) -> None:
    """Train, measure and write the page as `convscope run` does, for data in memory."""
    snapshots = dict[Checkpoint, Weights]()
    model, history = cs.train(architecture, splits, RECIPE, on_checkpoint=snapshots.__setitem__)
    dense, other_history = cs.train(cs.presets.ann, splits, RECIPE)
    evaluations = [cs.evaluate(network, splits.test) for network in (model, dense)]
    candidates = [
        cs.Candidate.from_model(network, evaluation, sum(past.seconds))
        for network, evaluation, past in zip((model, dense), evaluations, (history, other_history), strict=True)
    ]
    spec = RunSpec(splits.name, architecture, RECIPE, seed=0)
    record = make_run_record(spec, splits, threads=2, command=f"convscope run --dataset {splits.name}")
    evidence = small_evidence([model, dense], splits, RECIPE) if with_evidence else {}
    contents = RunContents(
        splits,
        RECIPE,
        Replay(model, history, snapshots),
        evaluations[0],
        cs.explain(model, splits.test, 0),
        from_attributes(PageRecord, record, timings={"train": sum(history.seconds)}),
        Replay(dense, other_history),
        cs.compare(*candidates),
        render_evidence(evidence),
    )
    folder.mkdir(parents=True)
    write_report(folder, contents)
    cs.save_model(model, folder / "model.safetensors")
    np.savez(folder / "images.npz", images=splits.test.images[:NUM_EXPECTED])


def compute_expected(folder: Path) -> dict[str, Any]:
    """Compute the logits of a run for some images: of the whole network, and without each filter and unit."""
    model = cs.load_model(folder / "model.safetensors")
    images = read_first_images(folder)
    kinds = (cs.Conv2D, cs.DepthwiseConv2D, cs.Dense)
    # The page has no ablations of the last layer, which gives the logits.
    computing = [row for row in model.architecture.table if not isinstance(row.layer, cs.Activation)]
    layers = [row for row in computing[:-1] if isinstance(row.layer, kinds)]
    filters = [(row.layer.name, k) for row in layers for k in range(row.output_shape[-1])]
    ablated = model.network.ablation_logits(images[:1], [[Replacement(layer, k)] for layer, k in filters])
    photo = folder / PHOTO
    return {
        "class_names": list(model.class_names),
        "logits": model.logits(images).tolist(),
        "photo": compute_photo(model, photo) if photo.exists() else None,
        "ablations": {f"{layer}/{k}": logits[0].tolist() for (layer, k), logits in zip(filters, ablated, strict=True)},
        "snapshots": compute_snapshots(model, folder, images[:1]) if (folder / "run.json").exists() else [],
    }


def compute_snapshots(model: cs.Model, folder: Path, images: NDArray[np.uint8]) -> list[dict[str, Any]]:
    """Compute what the page shows at the steps of the first epoch: accuracies, and logits with its rounded weights."""
    test, snapshots = cs.load_dataset("mnist").test, []
    some = test.take(evenly(len(test), 1_000))
    for point, weights in sorted(open_run(folder).load_snapshots().items()):
        if point.epoch < 1:
            rounded = {name: pack_rounded(weight).unpack() for name, weight in weights.items()}
            accuracy = cs.evaluate(replace(model, weights=weights), some).accuracy
            logits = replace(model, weights=rounded).logits(images)[0].tolist()
            snapshots.append({"step": point.step, "accuracy": accuracy, "logits": logits})
    return snapshots


def write_photo(path: Path) -> None:
    """Write the photo of the first test image, a 7, with the hard edge of a shadow across the sheet."""
    from PIL import Image

    sys.path.append(str(Path(__file__).parents[3] / "tests"))
    from photos import photograph_digit

    Image.fromarray(photograph_digit(cs.load_dataset("mnist").test.images[0], seed=0)).save(path)


def compute_photo(model: cs.Model, path: Path) -> dict[str, Any]:
    """Prepare a photo and classify it: hints, the size after each step, and logits."""
    (read,) = predict(model, [read_picture(path)])
    prepared = read.prepared
    return {
        "hints": list(prepared.hints),
        "stages": {stage.name: list(stage.pixels.shape[:2]) for stage in prepared.stages},
        "logits": model.logits(prepared.image[np.newaxis])[0].tolist(),
    }


def read_first_images(folder: Path) -> NDArray[np.uint8]:
    """Return the first test images (N, H, W, C) of a run."""
    kept = folder / "images.npz"
    if not kept.exists():
        return cs.load_dataset("mnist").test.images[:NUM_EXPECTED]
    with np.load(kept) as arrays:
        images: NDArray[np.uint8] = arrays["images"]
        return images


def main() -> None:
    """Make the reports that the command line names, or all for which there are data."""
    into, *names = sys.argv[1:]
    possible = [name for name in REPORTS if name != "fashion" or FASHION_FOLDER.exists()]
    with ProcessPoolExecutor(2) as processes:  # most of it uses one core
        for report in [processes.submit(make, name, Path(into) / name) for name in names or possible]:
            report.result()  # raises the error of its process


def make(name: str, folder: Path) -> None:
    """Write the page of this name, and what Python computes with its network."""
    REPORTS[name](folder)
    if (folder / "model.safetensors").exists():
        (folder / "expected.json").write_text(json.dumps(compute_expected(folder)), encoding="utf-8")


if __name__ == "__main__":
    main()
