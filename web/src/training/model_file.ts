// Writes a network that was trained in the page as a `model.safetensors`, which `convscope evaluate`, `predict` and
// `cs.load_model` open. docs/files.md describes the file.
import { layerTable } from '../engine/architecture';
import type { Architecture, Weights } from '../engine/types';
import { TextError } from '../text/error';
import { checkWeights } from '../engine/weights';
import { writeRecipe, type Recipe } from './recipe';

const FORMAT = 1; // as in src/convscope/storage/model_file.py
const ALIGNMENT = 8; // the first tensor begins at a multiple of this many bytes

export interface TrainedModel {
  architecture: Architecture;
  weights: Weights;
  classNames: readonly string[];
  provenance: Record<string, unknown>;
  handwriting?: object; // how a photo becomes an image for it, as in the payload
}

// Describes the weights' origin as `convscope train` does, and the share of wrong labels.
export function provenanceOf(training: {
  dataset: string;
  numImages: number; // number of training images
  wrongLabels: number; // share of them with a wrong label
  recipe: Recipe;
  seed: number;
  epoch: number; // number of trained epochs
}): Record<string, unknown> {
  const { dataset, numImages, wrongLabels, recipe, seed, epoch } = training;
  const provenance = { dataset, num_images: numImages, recipe: writeRecipe(recipe), seed, engine: 'page', epoch };
  return wrongLabels > 0 ? { ...provenance, wrong_labels: wrongLabels } : provenance;
}

// Writes the file's bytes: the length of the header in 8 bytes, the header as JSON, and the weights as float32, little-endian.
export function modelFile({ architecture, weights, classNames, provenance, handwriting }: TrainedModel): Uint8Array {
  const table = layerTable(architecture);
  checkWeights(table, weights);
  const classes = table[table.length - 1].outputShape[0];
  if (classNames.length !== classes) {
    throw new TextError('training.save.classNames', { n: classNames.length, classes });
  }
  const description = JSON.stringify({
    format: FORMAT,
    architecture,
    class_names: classNames,
    provenance,
    ...(handwriting && { handwriting }),
  });
  const header: Record<string, unknown> = { __metadata__: { convscope: description } };
  const shapes = table.flatMap((row) => Object.entries(row.weightShapes)).sort(([a], [b]) => (a < b ? -1 : 1));
  let size = 0;
  for (const [name, shape] of shapes) {
    if (!weights[name].every(Number.isFinite)) throw new TextError('training.save.notFinite', { name });
    const end = size + 4 * weights[name].length;
    header[name] = { dtype: 'F32', shape, data_offsets: [size, end] };
    size = end;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil(text.length / ALIGNMENT) * ALIGNMENT;
  const file = new Uint8Array(8 + length + size);
  const view = new DataView(file.buffer);
  view.setBigUint64(0, BigInt(length), true);
  file.fill(0x20, 8, 8 + length); // the header is padded with blanks
  file.set(text, 8);
  let offset = 8 + length;
  for (const [name] of shapes) {
    for (const value of weights[name]) {
      view.setFloat32(offset, value, true);
      offset += 4;
    }
  }
  return file;
}
