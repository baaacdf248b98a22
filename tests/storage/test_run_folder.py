"""Run folders: what is stored comes back, damage is named, and links, pipes and huge files are refused."""

import json
import os
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import structs

import convscope as cs
from convscope.base.errors import RunError
from convscope.base.files import MAX_BYTES
from convscope.experiment import RunSpec
from convscope.export import ParityTable
from convscope.runs.run_record import make_run_record
from convscope.storage import RunFolder, create_run, open_run
from convscope.storage.records import RunFile
from convscope.storage.state_file import load_state, save_state
from convscope.training import Checkpoint, History, TrainingState

from .made_runs import SPLITS


@pytest.fixture
def record() -> RunFile:
    spec = RunSpec("", cs.presets.ann((6, 6, 1), 3), cs.Recipe(epochs=2), 5)
    return make_run_record(spec, SPLITS, 2, "convscope run")


def _make_state(record: RunFile) -> TrainingState:
    shapes = cs.Architecture.from_dict(record.architecture).weight_shapes
    stream = np.random.default_rng(1)
    weights = {name: stream.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    optimizer = {"step": np.array(3, np.int64)}
    for name, shape in shapes.items():
        optimizer[f"m/{name}"] = stream.normal(size=shape).astype(np.float32)
        optimizer[f"v/{name}"] = stream.random(size=shape).astype(np.float32)
    return TrainingState(weights, optimizer, History((0.5,), (0.8,), (0.4,), (0.9,), (1.0,)))


def test_an_opened_run_folder_equals_the_created_one(record: RunFile, tmp_path: Path):
    made, opened = create_run(tmp_path / "a" / "b", record), open_run(tmp_path / "a" / "b")
    assert opened == made
    assert opened.architecture.name == "ann"
    assert (opened.recipe.epochs, opened.seed, opened.is_finished) == (2, 5, False)


def test_a_run_folder_restores_the_state_of_its_last_epoch(record: RunFile, tmp_path: Path):
    folder, state = create_run(tmp_path / "run", record), _make_state(record)
    assert folder.load_state() is None
    folder.save_epoch(state)
    again = open_run(tmp_path / "run").load_state()
    assert again is not None
    assert again.history == state.history == folder.load_history()
    for kept, saved in ((again.weights, state.weights), (again.optimizer, state.optimizer)):
        assert kept.keys() == saved.keys()
        assert all((kept[name] == saved[name]).all() and kept[name].dtype == saved[name].dtype for name in saved)


def test_snapshots_hold_the_weights_of_steps_and_epochs(record: RunFile, tmp_path: Path):
    folder, state = create_run(tmp_path / "run", record), _make_state(record)
    assert len(folder.load_snapshots()) == 0
    untrained = {name: np.zeros_like(array) for name, array in state.weights.items()}
    points = [Checkpoint(epoch=0), Checkpoint(epoch=30 / 469, step=30, accuracy=0.5, num_images=9), Checkpoint(epoch=1)]
    for point, weights in zip(points, (untrained, state.weights, state.weights), strict=True):
        folder.save_checkpoint(point, weights, tuple("abc"))
    (tmp_path / "run" / "checkpoints" / "epoch-last.safetensors").write_bytes(b"something else")
    snapshots = folder.load_snapshots()
    assert sorted(snapshots) == points
    assert {path.name for path in (tmp_path / "run" / "checkpoints").iterdir()} >= {"step-000030.safetensors"}
    for point, weights in ((points[0], untrained), (points[1], state.weights)):
        assert snapshots[point].keys() == weights.keys()
        assert all((snapshots[point][name] == weights[name]).all() for name in weights)


NORMALISED = cs.Architecture(
    cs.Input(4, 4), (cs.Conv2D(2, use_bias=False), cs.BatchNormalization(), cs.Flatten(), cs.Dense(3))
)


@pytest.mark.parametrize(
    ("architecture", "bits", "engine"),
    [(cs.presets.ann((4, 4, 1), 3), None, "native"), (cs.presets.ann((4, 4, 1), 3), 4, "native"),
     (NORMALISED, None, "reference")],
)  # fmt: skip
def test_an_averaged_run_resumed_from_its_folder_equals_an_unbroken_one(
    tmp_path: Path, architecture: cs.Architecture, bits: Any, engine: Any
):
    stream = np.random.default_rng(0)
    data = cs.Dataset(stream.integers(0, 256, (50, 4, 4, 1), np.uint8), stream.integers(0, 3, 50), ("a", "b", "c"))
    recipe = cs.Recipe(epochs=2, batch_size=16, averaging=0.9, weight_bits=bits)
    states: list[TrainingState] = []
    whole, _ = cs.train(architecture, data, recipe, engine=engine, on_epoch=states.append)
    save_state(states[1], tmp_path / "state.safetensors")
    state = load_state(tmp_path / "state.safetensors", architecture)
    resumed, _ = cs.train(architecture, data, recipe, engine=engine, state=state)
    assert resumed.weights_sha256 == whole.weights_sha256
    assert any(name.startswith("unaveraged/") for name in state.optimizer)
    assert any(name.startswith("unrounded/") for name in state.optimizer) == (bits is not None)
    cs.save_model(whole, tmp_path / "model.safetensors")
    assert cs.load_model(tmp_path / "model.safetensors").weights_sha256 == whole.weights_sha256


def test_a_run_folder_keeps_the_best_weights_and_their_epoch(record: RunFile, tmp_path: Path):
    record = structs.replace(
        record, recipe=cs.Recipe(validation_fraction=0.1, early_stopping=cs.EarlyStopping(patience=3)).to_dict()
    )
    folder, state = create_run(tmp_path / "run", record), _make_state(record)
    best = {name: array + 1 for name, array in state.weights.items()}
    history = History((0.5, 0.4), (0.8, 0.9), (0.3, 0.4), (0.9, 0.8), (1.0, 1.0), "validation", 1)
    folder.save_epoch(replace(state, history=history, best_weights=best))
    again = open_run(tmp_path / "run").load_state()
    assert again is not None
    assert again.history == folder.load_history() == history
    assert again.best_weights.keys() == best.keys()
    assert all((again.best_weights[name] == best[name]).all() for name in best)
    assert all((again.weights[name] == state.weights[name]).all() for name in best)
    folder.write_model(cs.Model(folder.architecture, best, ("a", "b", "c")), history)
    written = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (written["epochs_trained"], written["best_epoch"]) == (2, 1)


def test_create_run_leaves_existing_files(record: RunFile, tmp_path: Path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(RunError, match=r"already exists and is not empty; choose another `out`$"):
        create_run(tmp_path, record)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_create_run_refuses_a_file_in_its_place(record: RunFile, tmp_path: Path):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(RunError, match="cannot be created"):
        create_run(tmp_path / "file", record)


def test_finish_removes_the_files_of_a_killed_process(record: RunFile, tmp_path: Path):
    folder = create_run(tmp_path / "run", record)
    (tmp_path / "run" / ".model.safetensors.abc.partial").write_bytes(b"half")
    folder.finish()
    assert folder.is_finished
    assert not list((tmp_path / "run").glob(".*"))


def test_model_of_another_run_is_refused(record: RunFile, tmp_path: Path):
    state, names = _make_state(record), ("a", "b", "c")
    folder = create_run(tmp_path / "run", record)
    model = cs.Model(folder.architecture, state.weights, names)
    folder.write_model(model, state.history)
    assert open_run(tmp_path / "run").load_model().weights_sha256 == model.weights_sha256
    other_weights = {name: array + 1 for name, array in state.weights.items()}
    cs.save_model(cs.Model(folder.architecture, other_weights, names), tmp_path / "run" / "model.safetensors")
    with pytest.raises(RunError, match="not the weights of this run"):
        folder.load_model()


def _make_full_record(record: RunFile) -> dict[str, Any]:
    """Make the content of a run.json with every key that it may have."""
    digest, start = "0" * 64, {"argument": "x", "num_seen_images": 1, "kept_classes": [], "new_classes": []}
    member = {"run": "x", "weights_sha256": digest, "architecture": {}, "recipe": {}, "seed": 1, "seconds": 1.0}
    return {
        **record.to_dict(),
        "from": {**start, "weights_sha256": digest, "new_output": False},
        "imported": {"file": "x", "sha256": digest, "program": "x", "notes": []},
        "members": [{**member, "is_from_random_weights": True}] * 2,
        "search": {"budget": 1e9, "augmentation": "shift", "num_held_out": 2, "trials": []},
        "job": {"baseline": True, "seeds": 1, "index": 0},
        "num_images": 3, "weights_seed": 1, "digest": "0" * 16, "weights_sha256": digest, "epochs_trained": 1,
        "best_epoch": 1,
    }  # fmt: skip


def test_a_record_with_a_wrong_key_is_refused_with_the_path_of_the_key(record: RunFile, tmp_path: Path):
    path, whole = tmp_path / "run.json", _make_full_record(record)
    path.write_text(json.dumps(whole))
    assert set(whole) == {field.encode_name for field in structs.fields(RunFile)}
    assert open_run(tmp_path).record.to_dict() == whole
    wrong = {"architecture": [], "recipe": []}  # these two accept any object
    optional = {field.encode_name for field in structs.fields(RunFile) if not field.required}
    for key in whole:
        changes = [{**whole, key: wrong.get(key, {"x": 1})}, {**whole, key: -1}]
        if key not in optional:
            changes.append({name: value for name, value in whole.items() if name != key})
        for changed in changes:
            path.write_text(json.dumps(changed))
            with pytest.raises(RunError, match=r"run\.json: (\$|format is )") as caught:
                open_run(tmp_path)
            assert key in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "missing, so the folder is not a run"),
        ("", "damaged"),
        ("[]", "expected object"),
        ("[" * 100_000, "damaged"),
        ({"format": 2, "version": 3}, "format 2 is newer than convscope .*; install a newer version"),
        ({"seed": -5}, r"\$\.seed: expected int >= 0"),
        ({"engine": "steam"}, r"\$\.engine: invalid enum value 'steam'"),
        ({"recipe": {"epochs": 0}}, "epochs is 0"),
        ({"recipe": {"momentum": 0.9}}, "momentum"),
        ({"architecture": {"layers": []}}, "`input` and `layers`"),
    ],
)
def test_open_run_names_the_fault_of_the_record(record: RunFile, tmp_path: Path, content: Any, message: str):
    file = create_run(tmp_path / "run", record).path / "run.json"
    if content is None:
        file.unlink()
    else:
        file.write_text(content if isinstance(content, str) else json.dumps({**record.to_dict(), **content}))
    with pytest.raises(RunError, match=message) as caught:
        open_run(tmp_path / "run")
    assert str(file) in str(caught.value)


READERS = {
    "run.json": lambda folder: open_run(folder.path),
    "history.jsonl": lambda folder: folder.load_history(),
    "model.safetensors": lambda folder: folder.load_model(),
    "checkpoints/state.safetensors": lambda folder: folder.load_state(),
    "checkpoints/epoch-0001.safetensors": lambda folder: dict(folder.load_snapshots()),
    "from.safetensors": lambda folder: cs.load_model(folder.start_path),
    "evaluation.json": lambda folder: folder.load_evaluation(),
    "exports.json": lambda folder: folder.read_evidence("exports", ParityTable, folder.load_model()),
}


@pytest.fixture
def whole(record: RunFile, tmp_path: Path) -> RunFolder:
    folder, state = create_run(tmp_path / "run", record), _make_state(record)
    model = cs.Model(folder.architecture, state.weights, ("a", "b", "c"))
    folder.save_epoch(state)
    folder.save_checkpoint(Checkpoint(epoch=1), state.weights, model.class_names)
    folder.write_model(model, state.history)
    cs.save_model(model, folder.start_path)
    folder.write("evaluation.json", {})
    folder.write_evidence("exports", ParityTable(rows=()), model)
    return folder


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *product(READERS, ("link", "pipe", "too large")),
        *((name, "link of a folder") for name in READERS if "/" in name),  # the run itself may be reached by one
    ],
)
def test_links_pipes_and_huge_files_in_a_run_folder_are_refused(whole: RunFolder, name: str, kind: str):
    file = whole.path / name
    elsewhere = whole.path.parent / "elsewhere"
    if kind == "link of a folder":
        file.parent.rename(elsewhere)
        file.parent.symlink_to(elsewhere)
    elif kind == "link":
        file.rename(elsewhere)
        file.symlink_to(elsewhere)
    elif kind == "pipe":
        file.unlink()
        os.mkfifo(file)
    else:
        with file.open("wb") as opened:
            opened.truncate(MAX_BYTES[file.suffix] + 1)
    message = "is a symbolic link" if "link" in kind else "is not a regular file|the limit for such a file"
    with pytest.raises(RunError, match=message) as caught:
        READERS[name](whole)
    assert str(file.parent if kind == "link of a folder" else file) in str(caught.value)


WRITERS = {
    "run.json": lambda folder, state: folder.write_model(folder.load_model(), state.history),
    "history.jsonl": lambda folder, state: folder.write_history(state.history),
    "model.safetensors": lambda folder, _: folder.write_calibration(cs.load_model(folder.start_path)),
    "checkpoints": lambda folder, state: folder.save_epoch(state),
    "evaluation.json": lambda folder, _: folder.write("evaluation.json", {}),
    "exports.json": lambda folder, _: folder.write_evidence("exports", ParityTable(rows=()), folder.load_model()),
    "DONE": lambda folder, _: folder.finish(),
}


@pytest.mark.parametrize("name", WRITERS)
def test_nothing_is_written_through_a_link_in_a_run_folder(whole: RunFolder, record: RunFile, name: str):
    file, elsewhere = whole.path / name, whole.path.parent / "elsewhere"
    if file.exists():
        file.rename(elsewhere)
    else:
        elsewhere.write_text("precious")
    file.symlink_to(elsewhere)
    before = {path: path.read_bytes() for path in (elsewhere, *elsewhere.glob("*")) if path.is_file()}
    with pytest.raises(RunError, match="is a symbolic link"):
        WRITERS[name](whole, _make_state(record))
    assert {path: path.read_bytes() for path in (elsewhere, *elsewhere.glob("*")) if path.is_file()} == before


def test_a_run_folder_may_itself_be_reached_through_a_link(whole: RunFolder, tmp_path: Path):
    (tmp_path / "link").symlink_to(whole.path)
    folder = open_run(tmp_path / "link")
    (tmp_path / "model.safetensors").symlink_to(whole.path / "model.safetensors")
    model = cs.load_model(tmp_path / "model.safetensors")
    assert model.weights_sha256 == folder.load_model().weights_sha256


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("truncate", ""), ("other network", ""), ("noise", ""),
        ("no best weights", ".*best.*start the run again"), ("one of the best weights", ".*best.*start the run again"),
        ("unaveraged", "not a training state of this run .*unaveraged"),
        ("unrounded", "not a training state of this run .*unrounded"),
    ],
)  # fmt: skip
def test_load_state_refuses_a_damaged_or_incomplete_state(record: RunFile, tmp_path: Path, damage: str, message: str):
    state, path = _make_state(record), tmp_path / "run" / "checkpoints" / "state.safetensors"
    first = dict([next(iter(state.weights.items()))])
    if "best" in damage:
        early = cs.Recipe(validation_fraction=0.1, early_stopping=cs.EarlyStopping())
        record = structs.replace(record, recipe=early.to_dict())
        state = replace(state, best_weights=first if "one" in damage else {})
    elif damage.startswith("un"):
        state = replace(state, optimizer={**state.optimizer, **{f"{damage}/{name}": first[name] for name in first}})
    folder = create_run(tmp_path / "run", record)
    folder.save_epoch(state)
    if damage == "truncate":
        path.write_bytes(path.read_bytes()[:-5])
    elif damage == "noise":
        path.write_bytes(b"noise" * 100)
    elif damage == "other network":
        folder.write_record(structs.replace(record, architecture=cs.presets.ann((5, 4, 1), 3).to_dict()))
    with pytest.raises(RunError, match=rf"state\.safetensors: {message}"):
        open_run(tmp_path / "run").load_state()
