"""Time the fastest epoch of `classic` on `cnn` that we could get out of JAX in float32.

One jitted `lax.scan` runs the whole epoch. XLA's own convolution is slow on a CPU, its matrix product is not: so each
of the four positions of a pooling window is one matrix product over gathered patches (im2col), and pooling is the
maximum of the four, before bias and relu. Importing, reading and compiling (in the first epoch, given apart) are not
measured.

Tried, least seconds of two to four epochs on two AVX-512 cores (JAX 0.10): this 1.67; three steps unrolled 1.71; none
1.91; the four positions for the second convolution alone 2.17. On 28 x 28 images, none unrolled: this 1.82; plain
im2col, one product for all positions, 2.35; each jitted step called from Python 4.4; the four positions as one product
over 4 x 4 patches with padded kernels 5.1; nine products summed 5.8; pooling by reduce_window 14; XLA's own convolution
10.8. Others were busy during those above 3 s, but they are further behind than that explains. Byte images gained
nothing.
"""

import os

os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import measurement
import mnist
import numpy as np
from jax import lax
from measurement import BATCH, IMAGES

Weights = list[jax.Array]
WHOLE = IMAGES // BATCH


def initial_weights() -> Weights:
    """Draw the kernel and bias of each layer in turn."""
    random = np.random.default_rng(0)
    weights = []
    for shape in (3, 3, 1, 16), (3, 3, 16, 32), (800, 128), (128, 10):
        limit = np.sqrt(6 / (np.prod(shape[:-1]) + np.prod(shape[:-2]) * shape[-1]))
        weights += [jnp.asarray(random.uniform(-limit, limit, shape), jnp.float32), jnp.zeros(shape[-1])]
    return weights


def convolve_and_pool(maps: jax.Array, kernel: jax.Array, bias: jax.Array, read: int) -> jax.Array:
    """Compute relu(max pooling of a 3 x 3 convolution + bias); pooling reads `read` x `read` of its positions."""
    images, channels, filters = len(maps), maps.shape[3], kernel.shape[3]
    winners = None
    for row, column in np.ndindex(2, 2):
        patches = [
            maps[:, row + i : row + i + read - 1 : 2, column + j : column + j + read - 1 : 2]
            for i, j in np.ndindex(3, 3)
        ]
        patches = jnp.concatenate(patches, axis=-1).reshape(-1, 9 * channels)
        outputs = patches @ kernel.reshape(9 * channels, filters)
        winners = outputs if winners is None else jnp.maximum(winners, outputs)
    return jax.nn.relu(winners + bias).reshape(images, read // 2, read // 2, filters)


def logits(weights: Weights, images: jax.Array) -> jax.Array:
    maps = convolve_and_pool(images, weights[0], weights[1], 24)
    maps = convolve_and_pool(maps, weights[2], weights[3], 10)
    hidden = jax.nn.relu(maps.reshape(len(maps), 800) @ weights[4] + weights[5])
    return hidden @ weights[6] + weights[7]


def cross_entropy(weights: Weights, images: jax.Array, labels: jax.Array) -> jax.Array:
    log_probabilities = jax.nn.log_softmax(logits(weights, images))
    return -jnp.take_along_axis(log_probabilities, labels[:, None], axis=1).mean()


def main() -> None:
    options = measurement.arguments(__doc__, epochs=3)
    (images, labels), (test_images, test_labels) = mnist.load()
    all_images, all_labels = jnp.asarray(mnist.pixels(mnist.read_part(images))), jnp.asarray(labels.astype(np.int32))

    def step(state, batch):
        weights, means, squares, steps = state
        loss, gradients = jax.value_and_grad(cross_entropy)(weights, all_images[batch], all_labels[batch])
        steps += 1
        rate = 1e-3 * jnp.sqrt(1 - 0.999**steps) / (1 - 0.9**steps)
        means = [mean + 0.1 * (gradient - mean) for mean, gradient in zip(means, gradients, strict=True)]
        squares = [square + 0.001 * (g * g - square) for square, g in zip(squares, gradients, strict=True)]
        moments = zip(weights, means, squares, strict=True)
        weights = [weight - rate * mean / (jnp.sqrt(square) + 1e-7) for weight, mean, square in moments]
        return (weights, means, squares, steps), loss

    @jax.jit
    def epoch(state, key):
        order = jax.random.permutation(key, IMAGES)
        state, losses = lax.scan(step, state, order[: WHOLE * BATCH].reshape(WHOLE, BATCH), unroll=2)
        state, _ = step(state, order[WHOLE * BATCH :])
        return state, losses.mean()

    weights = initial_weights()
    state = (weights, [0 * weight for weight in weights], [0 * weight for weight in weights], jnp.float32(0))
    keys = iter(jax.random.split(jax.random.key(0), options.epochs + 1))

    def run_epoch() -> None:
        nonlocal state
        state, _ = jax.block_until_ready(epoch(state, next(keys)))

    first = measurement.seconds_of(run_epoch, 1)
    seconds = measurement.seconds_of(run_epoch, options.epochs)
    y_pred = np.asarray(jax.jit(logits)(state[0], mnist.pixels(mnist.read_part(test_images)))).argmax(axis=1)
    measurement.report(
        seconds,
        packages=["jax", "jaxlib"],
        threads=len(os.sched_getaffinity(0)),
        configuration="one jitted scan an epoch, pooling as the maximum of four matrix products",
        first_epoch_seconds=first[0],
        accuracy=float(np.mean(y_pred == test_labels)),
    )


main()
