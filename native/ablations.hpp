// The logits of a network some of whose filters are replaced by a constant.
//
// The whole network is computed once for a slice of images. From the map where an ablation begins, it is computed separately,
// so nothing before is computed again. Nor is a layer that reads whole replaced channels: their parts are subtracted from its
// sums (ChannelSums).
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

// Runs the network with one ablation and writes the output of layer l to outputs[l], (count, the layer's output). An empty
// ablation is the plain forward pass. `by` is made with Purpose::outputs and Kept::maps. False if the watcher stopped it.
bool ablated_outputs(const Network& network, OwnPlan& by, int threads, const Images& images, int64_t count,
                      const Ablation& ablation, const std::vector<float*>& outputs, Watcher& watcher);

}  // namespace convscope
