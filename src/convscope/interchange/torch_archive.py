"""What a file of `torch.export` may hold before PyTorch reads it: tensors as plain bytes, a graph of known operators.

PyTorch's reader unpickles what a file says is a pickle, loads libraries that lie in it, and evaluates expressions and
conditions that are Python code. Programs that `write_torch` writes hold none of these. `checked_archive` refuses all
that holds more and copies the rest into a new archive, so that PyTorch reads exactly what was checked.
"""

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

from convscope.base.errors import ConvscopeError

_MOST_BYTES = 2**31  # more than the weights of any layer may take, which have at most 2^31 - 1 values together
_RECORDS = re.compile(
    r"archive/(archive_format|archive_version|byteorder|\.data/version|\.data/serialization_id|models/model\.json"
    r"|data/weights/(weight_\d+|model_weights_config\.json)|data/constants/(tensor_\d+|model_constants_config\.json)"
    r"|data/sample_inputs/model\.pt|extra/class_names\.json)"
)
_PLAIN = re.compile(r"[\w.+:-]*")  # names become Python code
_STRINGS = {
    "path_name": re.compile(r"(weight|tensor)_\d+"),  # any other name is that of a pickle
    "target": re.compile(r"torch\.ops\.aten\.\w+\.\w+"),
    "expr_str": re.compile(r"Symbol\('s\d+', positive=True, integer=True\)"),  # the number of images
    "guards_code": re.compile("(?!)"),  # conditions as Python code: none
    "type": re.compile(r"cpu|builtins\.(tuple|list|dict)"),
    "context": re.compile(r'null|\[("\w+"(, "\w+")*)?\]'),
}
"""What strings may be, by the key that they stand under."""


def checked_archive(path: Path) -> bytes:
    """Return the program in `path` as a new archive of what was found harmless.

    Raises:
        ConvscopeError: if the file is missing, damaged, or holds anything that `write_torch` does not write.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("it is larger than 2 GiB")
        return _copied(path.read_bytes())
    except OSError as error:
        raise ConvscopeError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    except (ValueError, zipfile.BadZipFile, RecursionError, NotImplementedError, RuntimeError) as error:
        raise ConvscopeError(
            f"{path}: is not a program of convscope ({error}); export the model again, "
            "or open it with torch.export.load if you trust who made it"
        ) from error


def _copied(content: bytes) -> bytes:
    copy = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(copy, "w") as clean:
        records = archive.infolist()
        if len({record.filename for record in records}) < len(records):
            raise ValueError("two of its records have one name")
        for record in records:
            # Stored as they are, so no record is larger than the file.
            if not _RECORDS.fullmatch(record.filename) or record.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"it holds {record.filename!r}")
            clean.writestr(record.filename, _harmless(record.filename, archive.read(record)))
    return copy.getvalue()


def _harmless(name: str, value: bytes) -> bytes:
    """Return a record without what PyTorch need not know; raise `ValueError` where PyTorch would run what it says."""
    if name.endswith("/sample_inputs/model.pt") and value:
        raise ValueError("its sample inputs are a pickle")
    if not name.endswith(".json") or name.startswith("archive/extra/"):
        return value
    document = json.loads(value)
    _check(document)
    return json.dumps(document).encode()


def _check(document: Any) -> None:
    """Raise `ValueError` unless every string is a plain name, or an expression, an operator or a type that is known."""
    waiting = [("", document)]
    while waiting:
        key, value = waiting.pop()
        if key == "metadata" and isinstance(value, dict):
            value.clear()  # where in whose code a node was made
        elif key in ("in_spec", "out_spec") and isinstance(value, str) and value:
            waiting.append(("spec", json.loads(value)))
        elif isinstance(value, dict):
            waiting.extend(value.items())
        elif isinstance(value, list):
            waiting.extend((key, item) for item in value)
        elif isinstance(value, str) and not _STRINGS.get(key, _PLAIN).fullmatch(value):
            raise ValueError(f"its {key} is {value[:80]!r}")
        elif key in ("use_pickle", "guards_code") and value:
            raise ValueError(f"its {key} is {value!r}")
