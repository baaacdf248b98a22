"""Compare the JavaScript module of a trained network with ONNX Runtime Web under Node: bytes, and time in turns.

    npm install --prefix build/web onnxruntime-web
    python benchmarks/javascript.py RUN build/web/node_modules/onnxruntime-web

ONNX Runtime Web runs the exported `model.onnx` in WebAssembly with one thread, as ours does. Both run in one process,
in turns; printed are medians of the processor's time for one image and for 1,000, and the bytes that a page loads.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import convscope as cs

PROGRAM = """
import { readFileSync } from 'node:fs';
const [module, onnx, web] = process.argv.slice(1);
const ort = await import(`file://${web}/dist/ort.wasm.bundle.min.mjs`);
Object.assign(ort.env.wasm, { numThreads: 1, wasmPaths: `file://${web}/dist/` });
const session = await ort.InferenceSession.create(readFileSync(onnx), { executionProviders: ['wasm'] });
const model = await (await import(`file://${module}`)).load();
const [height, width, channels] = model.inputShape;
for (const [count, turns] of [[1, 500], [1000, 15]]) {
  const bytes = Uint8Array.from({ length: count * height * width * channels }, (_, i) => (i * 97) % 256);
  const images = new ort.Tensor('uint8', bytes, [count, height, width, channels]);
  const sides = { ours: () => model.logits(bytes), theirs: () => session.run({ images }) };
  const times = { ours: [], theirs: [] };
  for (let turn = 0; turn < turns; turn++) {
    for (const [name, work] of Object.entries(sides)) {
      const start = process.cpuUsage();
      await work();
      const { user, system } = process.cpuUsage(start);
      times[name].push((user + system) / 1000);
    }
  }
  const { logits } = await sides.theirs();
  const difference = Math.max(...sides.ours().map((value, i) => Math.abs(value - logits.data[i])));
  const median = (list) => list.sort((a, b) => a - b)[list.length >> 1].toFixed(3);
  console.log(`${count} image(s): ours ${median(times.ours)} ms, theirs ${median(times.theirs)} ms, ` +
    `${turns} turns, largest difference of a logit ${difference.toExponential(1)}`);
}
"""


def main(run: Path, web: Path) -> None:
    """Export the network of `run` to both, and print bytes and times."""
    model = cs.load_model(run)
    with tempfile.TemporaryDirectory() as folder:
        ours, onnx = Path(folder, "model.mjs"), Path(folder, "model.onnx")
        cs.export_model(model, ours, "js")
        cs.export_model(model, onnx, "onnx")
        parts = [onnx, *(web / "dist" / name for name in ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"))]
        theirs = sum(path.stat().st_size for path in parts)
        print(f"bytes: ours {ours.stat().st_size:,}, theirs {theirs:,}")
        subprocess.run(["node", "--input-type=module", "--eval", PROGRAM, ours, onnx, web.resolve()], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
