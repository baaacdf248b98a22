// Logits of a network with ablations: some filters output a constant.
//
// The whole network is computed once for a slice of images, up to 8 that a thread computes together. Each ablation is
// then computed from the first map (a layer's output) that it changes. If a convolution or dense layer reads that map,
// not even its product is computed again: the parts of the replaced channels are exchanged in its sums (see
// ablation_sums.hpp).
#pragma once

#include "prediction.hpp"

namespace convscope {

// Sets a channel of a layer's map, or a unit of its vector, to `value` everywhere, after the activation.
struct Replacement {
    std::size_t layer = 0;
    int64_t filter = 0;
    float value = 0;
};

using Ablation = std::vector<Replacement>;

// Writes `logits`, (ablations, count, classes). If a convolution is fused with max pooling, its filters are replaced in the
// pooled map, since a constant pools to itself. Returns false if the watcher stopped it.
bool ablation_logits(const Network& network, int threads, const Images& images, int64_t count,
                     const std::vector<Ablation>& ablations, float* logits, Watcher& watcher);

// Runs the network with one ablation, or none, and writes the output of layer l to outputs[l], (count, size of the
// output). `planned` is made with Purpose::outputs, in which each layer's output exists, and Kept::maps. Returns false
// if the watcher stopped it.
bool ablated_outputs(const Network& network, PlannedPredictor& planned, int threads, const Images& images, int64_t count,
                      const Ablation& ablation, const std::vector<float*>& outputs, Watcher& watcher);

}  // namespace convscope
