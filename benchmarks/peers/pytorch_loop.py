"""Time the fastest epoch of `classic` on `cnn` that we could get out of PyTorch in float32.

The whole set in memory as channels-last, shuffled once an epoch; max pooling before relu (they commute, and relu then
has a quarter of the work); PyTorch's fused Adam. Importing and reading are not measured, nor is the first epoch, which
fills oneDNN's caches.

Tried, least seconds of three to five epochs on two AVX-512 cores (PyTorch 2.13): this 1.42; channels first 1.96;
torch.compile 3.2 after 13 s of compiling. On 28 x 28 images: this 1.70; with a gather for each batch 1.88; relu in
place 1.71; channels first 1.71; Adam not fused 1.70; byte images converted batch by batch 1.97; one thread 3.55.
Pooling as the maximum of four matrix products, as in jax_loop.py, took 6.9 while others were busy.
"""

import measurement
import mnist
import torch
import torch.nn.functional as F  # noqa: N812 - the name that everyone gives it
from measurement import BATCH, IMAGES
from pytorch_network import Cnn, make_tensors


def main() -> None:
    options = measurement.arguments(__doc__, epochs=3)
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    train, test = mnist.load()
    (images, labels), (test_images, test_labels) = map(make_tensors, (train, test))
    network = Cnn().to(memory_format=torch.channels_last)
    adam = torch.optim.Adam(network.parameters(), lr=1e-3, eps=1e-7, fused=True)

    def epoch() -> None:
        order = torch.randperm(IMAGES)
        shuffled, their_labels = images[order], labels[order]
        for start in range(0, IMAGES, BATCH):
            batch = slice(start, start + BATCH)
            loss = F.cross_entropy(network(shuffled[batch]), their_labels[batch])
            adam.zero_grad(set_to_none=True)
            loss.backward()
            adam.step()

    first = measurement.seconds_of(epoch, 1)
    seconds = measurement.seconds_of(epoch, options.epochs)
    with torch.inference_mode():
        accuracy = (network(test_images).argmax(1) == test_labels).float().mean().item()
    measurement.report(
        seconds,
        packages=["torch"],
        threads=options.threads,
        configuration="eager, 26 x 26 images, channels-last, pooling before relu, one gather an epoch, fused Adam",
        first_epoch_seconds=first[0],
        accuracy=accuracy,
    )


main()
