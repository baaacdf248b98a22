// Architectures and settings encoded as rows of numbers, which the engine decodes into its structs.
//
// The engine describes each struct itself (native/page_fields.hpp), so the order of the numbers stands in one language. The
// text ` kind =Conv2D|Dense| window *2` is a struct of one choice and two numbers; { kind: 'Dense', window: [3, 3] } is
// encoded as [1, 3, 3].
import type { Arrays, Exports } from './memory';
import type { Architecture, LayerRow, LayerSpec, Optimizer, Shape, TrainingSteps } from './types';

type FieldValue = number | boolean | string | readonly number[] | undefined;

interface Field {
  name: string;
  size: number; // how many numbers it takes
  choices: string[] | null; // encoded as the index of the chosen name
}

export class StructFields {
  readonly fields: Field[];

  // Reads the engine's description at this address, which ends with a zero.
  constructor(exports: Exports, address: number) {
    const bytes = new Uint8Array(exports.memory.buffer, address);
    const description = new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
    this.fields = Array.from(description.matchAll(/(\w+) ([*=])(\S+)/g), ([, name, sign, rest]) =>
      sign === '*'
        ? { name, size: Number(rest), choices: null }
        : { name, size: 1, choices: rest.split('|').slice(0, -1) },
    );
  }

  // Encodes the values in the engine's order. A field without a value is NaN: the engine keeps its default.
  encode(values: Record<string, FieldValue>): number[] {
    const unknown = Object.keys(values).find((name) => !this.fields.some((field) => field.name === name));
    if (unknown !== undefined) throw new Error(`The engine has no field ${unknown}.`);
    return this.fields.flatMap((field) => encodeField(field, values[field.name]));
  }
}

function encodeField({ name, size, choices }: Field, value: FieldValue): number[] {
  if (value === undefined) return Array<number>(size).fill(NaN);
  if (choices !== null) {
    const index = choices.indexOf(String(value));
    if (index < 0) throw new Error(`The engine has no ${name} ${value}; it has ${choices.join(', ')}.`);
    return [index];
  }
  const numbers = Array.isArray(value) ? (value as number[]) : [Number(value)];
  if (numbers.length !== size) throw new Error(`The engine's ${name} takes ${size} numbers, not ${numbers.length}.`);
  return numbers;
}

// A vector (C,) is a map of one pixel, (1, 1, C).
const asMap = (shape: Shape): number[] => (shape.length === 1 ? [1, 1, ...shape] : shape);

// Selects the arguments that the engine has under the same name and in the same form.
function selectArguments(layer: LayerSpec, { fields }: StructFields): Record<string, FieldValue> {
  const isField = ([name]: [string, unknown]) => fields.some((field) => field.name === name);
  return Object.fromEntries(Object.entries(layer).filter(isField));
}

export function encodeInput(exports: Exports, { input }: Architecture): Float64Array {
  const { height, width, channels, scale, offset } = input;
  const fields = new StructFields(exports, exports.input_fields());
  return Float64Array.from(fields.encode({ shape: [height, width, channels], scale, offset }));
}

export function encodeLayers(exports: Exports, table: LayerRow[]): Float64Array {
  const fields = new StructFields(exports, exports.layer_fields());
  const indices = new Map(table.map((row) => [row.layer.name, row.index]));
  return Float64Array.from(
    table.flatMap(({ layer, inputShape, outputShape, window }) =>
      fields.encode({
        ...selectArguments(layer, fields),
        input: asMap(inputShape),
        output: asMap(outputShape),
        // The window has these as numbers; in a layer they may be 'same' or missing.
        window: window?.size,
        strides: window?.strides,
        padding: window?.padding,
        dropped: Math.floor((layer.rate ?? 0) * 2 ** 24), // how many of 2^24 numbers are dropped
        earlier: layer.from_layer === undefined ? undefined : (indices.get(layer.from_layer) ?? -1), // -1 is the image
      }),
    ),
  );
}

// Encodes the settings of training steps, or of a single gradient, which has no optimizer.
export function encodeSettings(arrays: Arrays, steps: Partial<TrainingSteps>): Float64Array {
  const { exports } = arrays;
  const fields = new StructFields(exports, exports.settings_fields());
  // Each step has its own learning rate, which is passed with it.
  const { learning_rate: _, ...optimizer }: Partial<Optimizer> = steps.optimizer ?? {};
  const { classWeights } = steps;
  return Float64Array.from(
    fields.encode({
      ...optimizer,
      label_smoothing: steps.labelSmoothing,
      class_weights: classWeights && [arrays.copyIn(Float32Array.from(classWeights)), classWeights.length],
      clip_norm: steps.clipNorm,
      ...steps.augmentation,
      key: steps.key,
    }),
  );
}
