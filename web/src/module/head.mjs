// A network of convscope with the engine that runs it: one module without dependencies, for pages, workers and Node 18 or
// newer. Licence of the engine: Apache-2.0.
//
//     import { load } from './model.mjs';
//     const model = await load();
//     const [label] = model.predict(image); // a Uint8Array of height × width × channels bytes, as in the data set
//     console.log(model.classNames[label], model.probabilities(image)[label]);
//
// A page that is opened from disk imports no files: put this text into its <script type="module">, and your own below it.
// TypeScript reads the types from here, with `allowJs`.
// @ts-nocheck

/**
 * A network in the engine. Its functions take the bytes of any number of images, one after the other.
 *
 * @typedef {object} Classifier
 * @property {readonly string[]} classNames
 * @property {readonly [number, number, number]} inputShape height, width and channels of an image
 * @property {(images: Uint8Array | Uint8ClampedArray) => Float32Array} logits for each image, those of all classes
 * @property {(images: Uint8Array | Uint8ClampedArray) => Float32Array} probabilities their softmax
 * @property {(images: Uint8Array | Uint8ClampedArray) => number[]} predict for each image, the index of its class
 * @property {() => void} free releases the engine's memory; afterwards the functions throw
 */

/**
 * Starts the engine and reads the network.
 *
 * @returns {Promise<Classifier>}
 */
export const load = () => convscopeModule.load(convscopeFiles);
