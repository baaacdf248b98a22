// The attributions of a logit difference: maps on the input by three methods, each with a deletion test.
import type { Network } from '../engine/network';
import type { Architecture, LayerRow, Replacement, Weights } from '../engine/types';
import {
  differenceOf,
  gradCam,
  gradientTimesInput,
  occlusion,
  overImage,
  patchFor,
  weigh,
  type Patch,
} from './attribution';
import {
  inkOf,
  MIN_INK,
  likenessOverInk,
  markedFirst,
  randomRemoval,
  removalCurves,
  SHARES,
  type Band,
  type Curve,
} from './deletion';
import { lastMapLayer, splitOverMaps, type MapSplit } from './difference';
import { outputOf, withReplacements } from './ablations';
import { part, type Work } from './schedule';
import { withNetwork } from './with_network';

export const METHODS = ['gradient', 'cam', 'occlusion'] as const;
export type Method = (typeof METHODS)[number];

export interface Question {
  architecture: Architecture; // without ablated parts
  table: LayerRow[]; // its rows
  weights: Weights;
  untrained: Weights | null;
  replacements: Replacement[];
  pixels: Uint8Array;
  ground: number; // a byte: the value of a pixel without ink
  answer: number;
  rival: number;
  camLayer: string | null; // whose maps Grad-CAM reads
}

export interface Attribution {
  map: Float32Array; // (H, W)
  curve: Curve[] | null; // the remaining difference as marked pixels are removed; null if nothing is marked or there is no ink
  untrained: Float32Array | null; // the same map of the untrained network
  likeness: number | null; // rank correlation of the two over the ink
}

export interface Explanation {
  pixels: Uint8Array;
  difference: number;
  ink: number; // pixels
  maps: MapSplit | null; // of the last layer with maps
  methods: Record<Method, Attribution | null>;
  random: Band[] | null; // deletion of random pixels, to compare with
  patch: Patch;
}

type MakeNetwork = (architecture: Architecture, weights: Weights) => Network;
type Maps = Record<Method, Float32Array | null>;

// The network with the ablations written into its layers.
function makeAblated(make: MakeNetwork, question: Question, weights: Weights): Network {
  const gated = withReplacements(question.table, question.architecture, weights, question.replacements);
  return make(gated.architecture, gated.weights);
}

interface Look {
  maps: Maps;
  split: MapSplit | null;
  difference: number;
}

function* look(network: Network, question: Question): Work<Look> {
  const { architecture, table, pixels, ground, answer, rival, camLayer } = question;
  const { height, width, channels } = architecture.input;
  const weights = differenceOf(network.numClasses, answer, rival);
  const forward = network.forward(pixels);
  const last = lastMapLayer(table);
  const cam = table.find((row) => row.layer.name === camLayer) ?? null;
  const gated = { ...architecture, layers: network.table.map((row) => row.layer) };
  const layers = [last, cam].filter((row) => row !== null).map((row) => outputOf(gated, row.layer.name));
  const gradients = network.layerGradients(pixels, weights, ['input', ...new Set(layers)]);
  const activationOf = (name: string) => forward.activations[network.table.findIndex((row) => row.layer.name === name)];
  const both = (row: LayerRow): [Float32Array, Float32Array] => {
    const name = outputOf(gated, row.layer.name);
    return [activationOf(name), gradients[name]];
  };
  const maps: Maps = {
    gradient: gradientTimesInput(gradients.input, pixels, architecture.input, ground),
    cam: cam === null ? null : overImage(gradCam(cam, ...both(cam)), cam, height, width),
    occlusion: null,
  };
  yield 0.1;
  const shape: [number, number, number] = [height, width, channels];
  maps.occlusion = yield* part(occlusion(network, pixels, shape, patchFor(height, width), ground, weights), 0.1, 1);
  return {
    maps,
    split: last && splitOverMaps(table, last, ...both(last)),
    difference: weigh(forward.logits, 0, weights),
  };
}

export function* explain(make: MakeNetwork, question: Question): Work<Explanation> {
  const { architecture, pixels, ground, answer, rival } = question;
  const { height, width, channels } = architecture.input;
  const ink = inkOf(pixels, channels, ground);

  const own = (weights: Weights) => () => makeAblated(make, question, weights);
  const trained = withNetwork(own(question.weights), function* (network) {
    const seen = yield* part(look(network, question), 0, 0.35);
    if (ink.length < MIN_INK) return { ...seen, random: null, curves: null };
    const weights = differenceOf(network.numClasses, answer, rival);
    const random = yield* part(randomRemoval(network, pixels, channels, ground, weights), 0.35, 0.6);
    const orders = METHODS.map((method) => markedFirst(seen.maps[method] ?? new Float32Array(height * width), ink));
    const curves = yield* part(removalCurves(network, pixels, channels, ground, orders, weights), 0.6, 0.7);
    return { ...seen, random, curves };
  });
  const { maps, split, difference, random, curves } = yield* trained;
  let before: Maps | null = null;
  if (question.untrained !== null) {
    const untrained = withNetwork(own(question.untrained), (network) => look(network, question));
    before = (yield* part(untrained, 0.7, 1)).maps;
  }
  const attribution = (method: Method, m: number): Attribution | null => {
    const map = maps[method];
    if (map === null) return null;
    const untrained = before?.[method] ?? null;
    return {
      map,
      curve:
        curves && map.some((value) => value !== 0) ? SHARES.map((share, s) => ({ share, value: curves[m][s] })) : null,
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
    random,
    patch: patchFor(height, width),
  };
}
