// What a network answers when some of its filters always give the same value.
//
// A network is walked through once for a slice of images. At every map the ablations that begin there go the rest of the way
// by themselves, so that no ablation computes again what it does not touch. A layer that reads whole replaced channels is not
// computed again either: their parts are taken off its sums (ChannelSums).
#pragma once

#include "prediction.hpp"

namespace convscope {

// A channel of a layer's map, or a number of its vector, whose output after the activation is `value` everywhere.
struct Replacement {
    std::size_t layer = 0;
    int64_t filter = 0;
    float value = 0;
};

using Ablation = std::vector<Replacement>;

// Writes `logits`, (ablations, count, classes). Where a convolution is fused with the max pooling behind it, its replacement is
// made in the pooled map: a constant pools to itself. False if the watcher stopped it.
bool ablation_logits(const Network& network, int threads, const Images& images, int64_t count,
                     const std::vector<Ablation>& ablations, float* logits, Watcher& watcher);

// Writes what every layer gives with one ablation, outputs[l] (count, the layer's output); without a replacement it is the
// plain pass. `by` has a plan of every layer's output, and keeps its maps. False if the watcher stopped it.
bool ablated_outputs(const Network& network, OwnPlan& by, int threads, const Images& images, int64_t count,
                      const Ablation& ablation, const std::vector<float*>& outputs, Watcher& watcher);

}  // namespace convscope
