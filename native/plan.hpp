// How a network is computed: the maps with their layouts, the map layers (fused where they fit), then the dense layers.
#pragma once

#include <memory>
#include <vector>

#include "map_layer.hpp"
#include "parameters.hpp"

namespace convscope {

// A dense layer, or where it has no parameters the activation of one or a dropout.
struct DenseLayer {
    Parameters* parameters = nullptr;
    int layer = 0;  // in the architecture
    int64_t outputs = 0;
    bool relu = false;
    bool after_relu = false;
    Activation activation = Activation::none;
    int64_t dropped = 0;
};

struct Plan {
    // `parameters` by layer of the architecture, null where a layer has none. A plan for training fuses layers, leaves
    // out places that nobody reads, and has what the way back needs; the other kind computes every layer's output in full.
    Plan(const std::vector<Layer>& whole_layers, const Input& input, const std::vector<Parameters*>& parameters,
         const Kernels& kernels, bool training);

    std::vector<Map> maps;
    std::vector<std::unique_ptr<MapLayer>> map_layers;
    std::vector<int> map_of_layer;     // by layer: the map it writes, or -1 (fused away, or a vector)
    std::vector<int> vector_of_layer;  // by layer: the vector it gives, 0 for the features, or -1 (a map)
    std::vector<Parameters*> map_parameters;  // by map layer, null where it has none
    std::vector<DenseLayer> dense;
    std::size_t first_trained;  // map layer with the first weights; map_layers.size() if none has

    // From which position of a shard's sums a map layer's begin; the last entry is the size of all.
    std::vector<int64_t> gradient_offsets;
    int64_t features;  // numbers that the first dense layer reads, or the logits where there is none
};

}  // namespace convscope
