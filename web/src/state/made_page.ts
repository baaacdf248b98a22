// Makes the payload of a saved page, for a network that was trained in this page on its data or on the reader's own classes.
import { layerTable } from '../engine/architecture';
import type { Architecture, Shape, Weights } from '../engine/types';
import type { History, LiveModel, Made, Payload, SplitCard } from '../payload/types';
import { pack, packWeights } from '../payload/pack';
import type { Labelled } from '../training/score';
import { isHeldOut } from '../training/own_classes';
import { writeRecipe, type Recipe } from '../training/recipe';
import type { Subject } from './bench.svelte';

export interface MadeNetwork {
  architecture: Architecture;
  weights: Weights;
  means: Record<string, Float32Array>; // mean outputs by layer, as in the payload; empty if not computed
  recipe: Recipe;
}

const NO_HISTORY: History = {
  loss: [],
  accuracy: [],
  val_loss: [],
  val_accuracy: [],
  seconds: [],
  val_split: 'test',
  best_epoch: null,
};

async function liveModel({ architecture, weights, means }: MadeNetwork): Promise<LiveModel> {
  const table = layerTable(architecture);
  const shapes: Record<string, Shape> = Object.assign({}, ...table.map((row) => row.weightShapes));
  const layers = Object.fromEntries(Object.entries(means).map(([layer, mean]) => [layer, [mean.length]]));
  return {
    name: architecture.name,
    architecture,
    weights: await packWeights(weights, shapes),
    means: await packWeights(means, layers),
    snapshots: [],
    rounding: null,
  };
}

// Makes the parts that every such page has. Measurements by Python are left out.
async function commonParts(page: Payload, network: MadeNetwork, made: Made) {
  const { architecture, recipe } = network;
  const table = layerTable(architecture);
  const sum = (numbers: number[]) => numbers.reduce((all, item) => all + item, 0);
  return {
    format: page.format,
    made,
    record: {} as Record<string, unknown>,
    recipe: writeRecipe(recipe),
    model: {
      architecture,
      parameters: sum(table.map((row) => row.parameters)),
      macs: sum(table.map((row) => row.macs)),
    },
    history: NO_HISTORY,
    baseline_history: null,
    comparison: null,
    models: [await liveModel(network)],
    // No logits to compare: those that Python computes for a run are missing here.
    parity: { logits: await pack(new Float32Array(), [0, table[table.length - 1].outputShape[0]]) },
  };
}

// Makes the payload for a network that was trained on the page's data. `score` is measured on the sample of test images.
export async function trainedPayload(
  page: Payload,
  network: MadeNetwork,
  epoch: number,
  score: { correct: number; count: number } | null,
): Promise<Payload> {
  const { models, parity, ...rest } = await commonParts(page, network, { from: 'data', epoch });
  const { split, class_names } = page.evaluation;
  const live = { ...page.live, models, parity };
  delete (live as { map?: unknown }).map; // the map of test images belongs to another network
  const accuracy = score === null || score.count === 0 ? undefined : score.correct / score.count;
  return {
    ...rest,
    record: page.record.dataset === undefined ? {} : { dataset: page.record.dataset },
    data: page.data,
    evaluation: evaluationOf(split, score?.count ?? 0, class_names, accuracy),
    live,
  };
}

// Makes the payload for a network for other classes. Its images are the examples, the held-out ones first.
export async function classesPayload(
  page: Payload,
  network: MadeNetwork,
  epoch: number,
  classNames: readonly string[],
  { train, heldOut }: { train: Labelled; heldOut: Labelled },
): Promise<Payload> {
  const { models, parity, ...rest } = await commonParts(page, network, { from: 'classes', epoch });
  const { height, width, channels } = network.architecture.input;
  const shape: [number, number, number] = [height, width, channels];
  const count = train.labels.length + heldOut.labels.length;
  const packBoth = (labels: Uint8Array, images: Uint8Array) =>
    Promise.all([pack(labels, [labels.length]), pack(images, [labels.length, ...shape])]);
  const join = (head: Uint8Array, tail: Uint8Array) => {
    const bytes = new Uint8Array(head.length + tail.length);
    bytes.set(head);
    bytes.set(tail, head.length);
    return bytes;
  };
  const [labels, pixels] = await packBoth(join(heldOut.labels, train.labels), join(heldOut.images, train.images));
  const [trainLabels, trainPixels] = await packBoth(train.labels, train.images);
  const split = heldOut.labels.length > 0 ? 'test' : 'train'; // the split of the first images
  const indices = Uint16Array.from({ length: count }, (_, i) => i);
  const card = (num_images: number): SplitCard => ({ num_images, image_shape: shape, class_names: [...classNames] });
  return {
    ...rest,
    data: { name: 'own classes', train: card(train.labels.length), test: card(heldOut.labels.length) },
    evaluation: evaluationOf(split, heldOut.labels.length, [...classNames]),
    live: {
      models,
      images: {
        split,
        indices: await pack(indices, [count]),
        labels,
        pixels,
        num_sample: heldOut.labels.length > 0 ? heldOut.labels.length : count,
        num_mistakes: 0,
      },
      parity,
      training: { labels: trainLabels, pixels: trainPixels, of: train.labels.length },
      handwriting: page.live.handwriting,
    },
  };
}

function evaluationOf(split: string, num_images: number, class_names: string[], accuracy?: number) {
  // Python's measurements, which this network lacks.
  const none = { num_mistakes: 0, accuracy_interval: [0, 1] as [number, number], loss: 0, confusion_matrix: [] };
  return { split, num_images, class_names, ...none, ...(accuracy !== undefined && { accuracy }) };
}

// Reads the reader's own classes from a saved page, with the examples in the order in which they were added. The page has the
// held-out ones first, every fifth: examples 0 to 5 of a class stand there as 4 | 0 1 2 3 5.
export function ownClassesOf({ payload, images }: Subject): { name: string; examples: Uint8Array[] }[] {
  const { made, evaluation } = payload;
  if (made?.from !== 'classes') return [];
  const numHeldOut = evaluation.num_images;
  const indices = Array.from({ length: images.count }, (_, i) => i);
  return evaluation.class_names.map((name, label) => {
    const own = indices.filter((i) => images.labels[i] === label);
    const [heldOut, trained] = [own.filter((i) => i < numHeldOut), own.filter((i) => i >= numHeldOut)];
    const order = own.map((_, i) => (isHeldOut(i) && heldOut.length > 0 ? heldOut.shift()! : trained.shift()!));
    return { name, examples: order.map((i) => images.image(i).slice()) };
  });
}
