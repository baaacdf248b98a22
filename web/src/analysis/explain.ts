// The attributions of a logit difference: maps on the input by three methods, each with a deletion test.
import type { Network } from '../engine/network';
import type { Architecture, LayerRow, Replacement, Weights } from '../engine/types';
import { differenceWeights, gradCam, gradientTimesInput, occlusion, overImage, patchFor, weigh } from './attribution';
import type { Patch } from './attribution';
import { inkOf, MIN_INK, likenessOverInk, markedFirst, randomRemoval, removalCurves, SHARES } from './deletion';
import type { BandPoint, CurvePoint } from './deletion';
import { lastMapLayer, splitOverMaps, type MapSplit } from './difference';
import { ablatedOutput, withReplacements } from './ablations';
import { scaleProgress, type Work } from './slices';
import { withNetwork } from './with_network';

export const METHODS = ['gradient', 'cam', 'occlusion'] as const;
export type Method = (typeof METHODS)[number];

// The network, the image, and the two classes whose logits are compared.
export interface Question {
  architecture: Architecture; // with the ablated parts removed
  table: LayerRow[]; // the rows of the architecture
  weights: Weights;
  untrained: Weights | null; // the weights before training, as a check; null if the page has none
  replacements: Replacement[];
  pixels: Uint8Array;
  background: number; // the byte of a pixel without ink
  prediction: number;
  rival: number;
  camLayer: string | null; // the layer whose maps Grad-CAM reads
}

export interface Attribution {
  map: Float32Array; // (H, W)
  curve: CurvePoint[] | null; // the deletion test; null if the map is zero or there is too little ink
  untrained: Float32Array | null; // the same map of the untrained network
  likeness: number | null; // rank correlation over the ink with the untrained network's map
}

export interface Explanation {
  pixels: Uint8Array;
  difference: number; // logit of the prediction - logit of the rival
  ink: number; // number of pixels that are not background
  maps: MapSplit | null; // the split over the last layer with maps
  methods: Record<Method, Attribution | null>;
  random: BandPoint[] | null; // the deletion test with random pixels, as a baseline
  patch: Patch;
}

type MakeNetwork = (architecture: Architecture, weights: Weights) => Network;
type Maps = Record<Method, Float32Array | null>;

// Makes a network with the ablations written into its layers.
function makeAblated(make: MakeNetwork, question: Question, weights: Weights): Network {
  const gated = withReplacements(question.table, question.architecture, weights, question.replacements);
  return make(gated.architecture, gated.weights);
}

interface NetworkAttribution {
  maps: Maps;
  split: MapSplit | null;
  difference: number;
}

// Computes the three maps, the split and the difference for one network, whose weights are trained or not.
function* attribute(network: Network, question: Question): Work<NetworkAttribution> {
  const { architecture, table, pixels, background, prediction, rival, camLayer } = question;
  const { height, width, channels } = architecture.input;
  const weights = differenceWeights(network.numClasses, prediction, rival);
  const forward = network.forward(pixels);
  const last = lastMapLayer(table);
  const cam = table.find((row) => row.layer.name === camLayer) ?? null;
  // Where filters are replaced, an added layer holds the output.
  const outputName = (row: LayerRow) => ablatedOutput(network.architecture, row.layer.name);
  const layers = [last, cam].filter((row) => row !== null).map(outputName);
  const gradients = network.layerGradients(pixels, weights, ['input', ...new Set(layers)]);
  const activationAndGradient = (row: LayerRow): [Float32Array, Float32Array] => {
    const name = outputName(row);
    const index = network.table.findIndex(({ layer }) => layer.name === name);
    return [forward.activations[index], gradients[name]];
  };
  const maps: Maps = {
    gradient: gradientTimesInput(gradients.input, pixels, architecture.input, background),
    cam: cam === null ? null : overImage(gradCam(cam, ...activationAndGradient(cam)), cam, height, width),
    occlusion: null,
  };
  yield 0.1;
  const shape: [number, number, number] = [height, width, channels];
  const occluding = occlusion(network, pixels, shape, patchFor(height, width), background, weights);
  maps.occlusion = yield* scaleProgress(occluding, 0.1, 1);
  const split = last && splitOverMaps(table, last, ...activationAndGradient(last));
  return { maps, split, difference: weigh(forward.logits, 0, weights) };
}

interface DeletionTests {
  random: BandPoint[];
  curves: Float64Array[]; // one for each method
}

// Removes the ink in random orders, and in the order of each method's map. Yields its part of `explain`'s progress.
function* testDeletion(network: Network, question: Question, maps: Maps, ink: number[]): Work<DeletionTests> {
  const { pixels, background, prediction, rival } = question;
  const { height, width, channels } = question.architecture.input;
  const weights = differenceWeights(network.numClasses, prediction, rival);
  const inRandomOrders = randomRemoval(network, pixels, channels, background, weights);
  const random = yield* scaleProgress(inRandomOrders, 0.35, 0.6);
  // A method without a map gets any order, so that curve m is method m's; `explain` leaves its curve out.
  const orders = METHODS.map((method) => markedFirst(maps[method] ?? new Float32Array(height * width), ink));
  const markedPixelsFirst = removalCurves(network, pixels, channels, background, orders, weights);
  const curves = yield* scaleProgress(markedPixelsFirst, 0.6, 0.7);
  return { random, curves };
}

// Computes the three attributions, their deletion tests, and the split over the maps of the last layer with maps. The
// progress: 0 ─ attributions ─ 0.35 ─ random orders ─ 0.6 ─ marked pixels first ─ 0.7 ─ untrained network ─ 1.
export function* explain(make: MakeNetwork, question: Question): Work<Explanation> {
  const { pixels } = question;
  const { height, width, channels } = question.architecture.input;
  const ink = inkOf(pixels, channels, question.background);
  const networkWith = (weights: Weights) => () => makeAblated(make, question, weights);
  const trained = withNetwork(networkWith(question.weights), function* (network) {
    const attributed = yield* scaleProgress(attribute(network, question), 0, 0.35);
    const tests = ink.length < MIN_INK ? null : yield* testDeletion(network, question, attributed.maps, ink);
    return { ...attributed, tests };
  });
  const { maps, split, difference, tests } = yield* trained;
  let untrainedMaps: Maps | null = null;
  if (question.untrained !== null) {
    const untrained = withNetwork(networkWith(question.untrained), (network) => attribute(network, question));
    untrainedMaps = (yield* scaleProgress(untrained, 0.7, 1)).maps;
  }
  const attribution = (method: Method, m: number): Attribution | null => {
    const map = maps[method];
    if (map === null) return null;
    const untrained = untrainedMaps?.[method] ?? null;
    const marksPixels = map.some((value) => value !== 0); // a map of zeros gives no order to test
    return {
      map,
      curve: tests && marksPixels ? SHARES.map((share, s) => ({ share, value: tests.curves[m][s] })) : null,
      untrained,
      likeness: untrained && likenessOverInk(map, untrained, ink),
    };
  };
  const [gradient, cam, occluded] = METHODS.map(attribution);
  return {
    pixels,
    difference,
    ink: ink.length,
    maps: split,
    methods: { gradient, cam, occlusion: occluded },
    random: tests && tests.random,
    patch: patchFor(height, width),
  };
}
