"""A model as one JavaScript module: the engine of the page, the network as a `model.safetensors`, and how to use them.

    // how to use it                                 web/src/module/head.mjs
    export const load = ...
    var convscopeModule = ...                        web/src/module/model.ts, which reads the two files
    const convscopeFiles = {engine: ..., model: ...} deflated and in base64

The page writes the same text (`web/src/ui/page_source.ts`).
"""

import json
import re
import shutil
import subprocess
import zlib
from base64 import b64encode
from importlib.resources import files
from pathlib import Path
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import ConvscopeError, MissingPackageError
from convscope.base.files import write_text
from convscope.export.runner import FileRunner
from convscope.storage import pack_model
from convscope.training.model import Model

# Writes a line, its version and the number of classes. Then, again and again: reads the number of bytes of images in
# four bytes, reads them, writes their logits. At an error it writes that, and ends.
_PROGRAM = """
import { readSync, writeSync } from 'node:fs';
const write = (bytes) => { for (let end = 0; end < bytes.length; ) end += writeSync(1, bytes, end); };
const read = (bytes) => {
  for (let end = 0; end < bytes.length; ) {
    const count = readSync(0, bytes, end, bytes.length - end);
    if (count === 0) process.exit();
    end += count;
  }
  return bytes;
};
const tell = (text) => write(Buffer.from(`${text}\\n`));
try {
  const model = await (await import(process.argv[1])).load();
  tell(`${process.version} ${model.classNames.length}`);
  for (;;) {
    const [size] = new Uint32Array(read(new Uint8Array(4)).buffer);
    write(new Uint8Array(model.logits(read(new Uint8Array(size))).buffer));
  }
} catch (error) {
  tell(error);
}
"""


def write_js(model: Model, path: Path) -> None:
    """Write `model` to `path` as a module that exports `load`, for browsers, workers and Node.

    The same model gives the same bytes.

    Raises:
        ConvscopeError: if the file cannot be written.
    """
    bundle = files("convscope").joinpath("report/bundle")  # built from web/ and native/
    contents = {"engine": bundle.joinpath("engine.wasm").read_bytes(), "model": pack_model(model)}
    packed = {name: b64encode(zlib.compress(content, 9)).decode() for name, content in contents.items()}
    code = bundle.joinpath("model.mjs").read_text(encoding="utf-8")
    write_text(path, f"{code}const convscopeFiles = {json.dumps(packed)};\n")


def open_js(path: Path) -> FileRunner:
    """Start Node with the module at `path`, which runs the code in the file; it ends with the runner.

    Raises:
        ConvscopeError: if there is no Node, or it does not run the file.
    """
    node = shutil.which("node")
    if node is None:
        raise MissingPackageError("no Node.js (node) was found; install version 18 or newer, from nodejs.org")
    command = [node, "--input-type=module", "--eval", _PROGRAM, path.resolve().as_uri()]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdin is not None
    assert process.stdout is not None
    requests, answers = process.stdin, process.stdout

    def refusal(answer: bytes) -> ConvscopeError:
        process.communicate()
        reason = answer.decode(errors="replace").split("\n")[0][:200] or f"it ended with {process.returncode}"
        return ConvscopeError(f"{path}: Node does not run it ({reason}); export it again, and use Node 18 or newer")

    line = answers.readline()
    if not (match := re.fullmatch(rb"(v\S+) (\d+)\n", line)):
        raise refusal(line)
    classes = int(match[2])

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        requests.write(np.uint32(images.nbytes).tobytes() + images.tobytes())
        requests.flush()
        answer = answers.read(size := 4 * len(images) * classes)
        if len(answer) < size:
            raise refusal(answer)
        return np.frombuffer(answer, np.float32).reshape(-1, classes)

    finalize(run, process.communicate)  # closes its input, at which it ends
    return FileRunner(f"Node {match[1].decode()}", run)
