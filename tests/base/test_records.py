"""Records: a written record is read back unchanged, and an invalid file is refused with the path of the wrong field."""

import json
import math
import pickle
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convscope
from convscope.base.errors import RunError
from convscope.base.records import (
    Count,
    FileRecord,
    Fraction,
    Interval,
    JsonObject,
    Record,
    Seconds,
    Sha256,
    decode,
    encode,
    read,
    write as write_record,
)


class Run(Record, kw_only=True):
    name: str
    accuracy: Fraction
    interval: Interval | None
    seconds: Seconds = 0.0
    epochs: Count = 1


class Table(Record, kw_only=True):
    runs: tuple[Run, ...]
    values: dict[str, int | float | str | bool | None]
    recipe: JsonObject
    weights_sha256: Sha256


def make_table(**changes: Any) -> Table:
    run = Run(name="größer", accuracy=0.5, interval=(0.25, 1e-7))
    fields = {
        "runs": (run,), "values": {"b": None, "a": True}, "recipe": {"z": [1], "a": {}}, "weights_sha256": 64 * "a",
    }  # fmt: skip
    return Table(**(fields | changes))


def table_json(**changes: Any) -> bytes:
    return json.dumps(make_table().to_dict() | changes).encode()


def run_dict(**changes: Any) -> dict[str, Any]:
    return {"name": "a", "accuracy": 0.5, "interval": None, "seconds": 1, "epochs": 1} | changes


def test_a_record_survives_a_file_unchanged(tmp_path: Path):
    write_record(tmp_path / "table.json", make_table())
    assert read(tmp_path / "table.json", Table) == make_table()
    assert pickle.loads(pickle.dumps(make_table())) == make_table()
    assert list(json.loads((tmp_path / "table.json").read_text())) == ["runs", "values", "recipe", "weights_sha256"]


def test_the_canonical_bytes_do_not_depend_on_the_order_of_keys():
    reordered = make_table(values={"a": True, "b": None}, recipe={"a": {}, "z": [1]})
    assert encode(reordered) == encode(make_table())
    assert encode(make_table()) == (
        b'{"recipe":{"a":{},"z":[1]},"runs":[{"accuracy":0.5,"epochs":1,"interval":[0.25,1e-07],"name":"gr\xc3\xb6\xc3\x9fer",'
        b'"seconds":0.0}],"values":{"a":true,"b":null},"weights_sha256":"' + 64 * b"a" + b'"}'
    )


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (Run(name="a", accuracy=0.5, interval=(0.0, math.nan)), r"Run: \$\.interval\[1\] is nan, which is not finite"),
        (Run(name="a", accuracy=0.5, interval=(-math.inf, 0)), r"Run: \$\.interval\[0\] is -inf"),
        (Run(name="a", accuracy=0.5, interval=(np.float32(np.nan), 0)), r"Run: \$\.interval\[0\] is nan"),
        (Run(name="a", accuracy=math.nan, interval=None), r"Run: \$\.accuracy: expected float >= 0.0"),
        (Run(name="a", accuracy=1.5, interval=None), r"Run: \$\.accuracy: expected float <= 1.0"),
        (Run(name=None, accuracy=0.5, interval=None), r"Run: \$\.name: expected str, got null"),  # type: ignore[arg-type]
        (make_table(recipe={"loss": [math.inf]}), r"Table: \$\.recipe\.loss\[0\] is inf"),
        (make_table(runs=(Run(name="a", accuracy=2, interval=None),)), r"Table: \$\.runs\[0\]\.accuracy: expected"),
    ],
)
def test_values_that_could_not_be_read_back_are_not_written(record: Record, message: str):
    with pytest.raises(ValueError, match=f"^{message}"):
        encode(record)


def test_half_a_surrogate_pair_of_a_file_name_is_replaced():
    written = encode(make_table(values={"\udfff": 1, "a": "größer \udcff"}))
    assert decode(written, Table, "table.json").values == {"\ufffd": 1, "a": "größer \ufffd"}


def test_an_array_is_no_part_of_a_record():
    with pytest.raises(TypeError, match="is a ndarray, which records do not hold"):
        encode(make_table(recipe={"a": np.zeros(2)}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (table_json(more=1), r"\$: object contains unknown field more"),
        (table_json(runs=[run_dict(), run_dict(more=1)]), r"\$\.runs\[1\]: object contains unknown field more"),
        (table_json(runs=[{"name": "a"}]), r"\$\.runs\[0\]: object missing required field accuracy"),
        (table_json(runs=[run_dict(epochs="1")]), r"\$\.runs\[0\]\.epochs: expected int, got str"),
        (table_json(runs=[run_dict(epochs=-1)]), r"\$\.runs\[0\]\.epochs: expected int >= 0"),
        (table_json(runs=[run_dict(accuracy=1.001)]), r"\$\.runs\[0\]\.accuracy: expected float <= 1\.0"),
        (table_json(runs=[run_dict(interval=[0, 1, 2])]), r"\$\.runs\[0\]\.interval: expected array of length 2"),
        (table_json(values={"a": [1]}), r"\$\.values\[\.\.\.\]: expected bool \| int"),
        (table_json(weights_sha256=64 * "A"), r"\$\.weights_sha256: expected str matching regex"),
        (table_json(weights_sha256=63 * "a" + "\n"), r"\$\.weights_sha256: expected str matching regex"),
        (table_json(weights_sha256=64 * "a" + "\n"), r"\$\.weights_sha256: expected str of length <= 64"),
        (table_json(runs=None), r"\$\.runs: expected array, got null"),
        (b"[]", r"\$: expected object, got array"),
        (b"", "damaged"),
        (b"\xff", "damaged"),
        (table_json().replace(b"0.5", b"NaN"), "damaged .the number nan is not finite"),
        (table_json(recipe={"a": "\ud800"}), "damaged .*half a surrogate pair"),
        (table_json().replace(b'"recipe": {', b'"recipe": {"a": 1, '), "damaged .the key 'a' comes twice"),
        (table_json(**{"x" * 10_000: 1}), r"\$: object contains unknown field x{100,200}; use another copy"),
    ],
)
def test_an_invalid_record_is_one_error_with_a_path(content: bytes, message: str):
    with pytest.raises(RunError, match=rf"^table\.json: {message}") as caught:
        decode(content, Table, "table.json")
    assert "use another copy of it, or write it again" in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_file_that_is_missing_too_large_or_no_file_is_one_error(tmp_path: Path):
    large = tmp_path / "large.json"
    with large.open("wb") as file:
        file.truncate(65 << 20)
    missing, folder = tmp_path / "no.json", tmp_path
    for path, message in ((missing, "No such file"), (folder, "regular|directory"), (large, "the limit")):
        with pytest.raises(RunError, match=message):
            read(path, Table)


class NamedFile(FileRecord, kw_only=True):
    name: str


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"format": 2, "version": "9.1", "other": 1}', "format 2 is newer than convscope .*; install convscope 9.1"),
        (b'{"version": "0.1.0", "name": "a"}', "format is None, which is unknown"),
        (b'{"format": 1, "version": "0.1.0", "names": "a"}', r"\$: object contains unknown field names"),
        (b"[]", r"\$: expected object, got array"),
    ],
)
def test_a_file_of_another_form_is_one_error(content: bytes, message: str):
    with pytest.raises(RunError, match=message):
        decode(content, NamedFile, "kept.json")
    assert decode(b'{"format": 1, "version": "1", "name": "a"}', NamedFile, "kept.json").name == "a"


def test_a_repeated_key_after_many_others_is_found_in_a_moment():
    names = b",".join(b'"%d":1' % number for number in range(200_000))
    with pytest.raises(RunError, match="the key '7' comes twice"):
        decode(b"{" + names + b',"7":1}', Table, "table.json")


def test_every_record_is_frozen_without_unknown_fields():
    package = Path(convscope.__file__).parent
    for path in package.rglob("*.py"):
        if "(Record" in path.read_text(encoding="utf-8"):
            import_module(".".join(("convscope", *path.relative_to(package).with_suffix("").parts)))
    records = list(_subclasses(Record))
    assert records
    for record in records:
        config = record.__struct_config__
        assert (config.frozen, config.forbid_unknown_fields, config.omit_defaults) == (True, True, False), record


def _subclasses(kind: type[Record]) -> list[type[Record]]:
    return [subclass for child in kind.__subclasses__() for subclass in (child, *_subclasses(child))]
