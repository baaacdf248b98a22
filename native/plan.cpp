#include "plan.hpp"

#include <algorithm>

#include "activation_pass.hpp"
#include "average_pooling.hpp"
#include "convolution.hpp"
#include "depthwise_convolution.hpp"
#include "dropout.hpp"
#include "max_pooling.hpp"
#include "pooled_convolution.hpp"

namespace convscope {

namespace {

bool works_on_maps(const Layer& layer) {
    return layer.kind != Kind::flatten && layer.kind != Kind::dense;
}

Layout value_layout(const Layer& reader) {
    const bool framed = reader.kind == Kind::convolution || reader.kind == Kind::depthwise;
    return framed ? Convolution::input_layout(reader) : Layout::plain(reader.input);
}

// The layers with their maps cut to the rows and columns that a later layer reads: a pooling leaves out what fills no
// whole window, and a stride may do so too. Images stay whole.
std::vector<Layer> cut_to_what_is_read(std::vector<Layer> layers) {
    std::size_t maps = 0;
    while (maps < layers.size() && works_on_maps(layers[maps])) ++maps;
    for (std::size_t i = maps; i-- > 1;) {
        if (layers[i - 1].kind == Kind::dropout) continue;  // which numbers it drops goes by their place in the whole map
        Layer& layer = layers[i];
        const auto read = [&layer](int axis, int64_t size, int64_t places) {
            return std::min(size, (places - 1) * layer.stride[axis] + layer.window[axis] - layer.padding[axis]);
        };
        layer.input.height = read(0, layer.input.height, layer.output.height);
        layer.input.width = read(1, layer.input.width, layer.output.width);
        layers[i - 1].output = layer.input;
    }
    return layers;
}

// Whether the largest of activated numbers is the activated largest, and none of its equals is activated otherwise.
bool commutes_with_maximum(Activation activation) { return activation != Activation::gelu; }

}  // namespace

Plan::Plan(const std::vector<Layer>& whole_layers, const Input& input, const std::vector<Parameters*>& parameters,
           const Kernels& kernels, bool training)
    : map_of_layer(whole_layers.size(), -1), vector_of_layer(whole_layers.size(), -1) {
    const std::vector<Layer> layers = training ? cut_to_what_is_read(whole_layers) : whole_layers;
    // Steps: a map layer of the plan is one layer of the architecture, a fused pair, or the activation behind it.
    struct Step {
        std::size_t layer;
        bool pooled;
        Activation activation;
    };
    std::vector<Step> steps;
    std::size_t next = 0;
    while (next < layers.size() && works_on_maps(layers[next])) {
        const Activation activation = layers[next].activation;
        const bool pooled = training && commutes_with_maximum(activation) && next + 1 < layers.size() &&
                            PooledConvolution::fits(layers[next], layers[next + 1]);
        steps.push_back({next, pooled, Activation::none});
        if (activation != Activation::none) steps.push_back({next, pooled, activation});
        next += pooled ? 2 : 1;
    }
    first_trained = steps.size();
    for (std::size_t i = steps.size(); i-- > 0;) {
        if (layers[steps[i].layer].has_weights() && steps[i].activation == Activation::none) first_trained = i;
    }

    for (std::size_t i = 0; i <= steps.size(); ++i) {
        Map map;
        const Layer* writer = i > 0 ? &layers[steps[i - 1].layer] : nullptr;
        const Shape shape = writer == nullptr ? input.shape : layers[steps[i - 1].layer + steps[i - 1].pooled].output;
        const bool framed = i < steps.size() && steps[i].activation == Activation::none;
        map.value = framed ? value_layout(layers[steps[i].layer]) : Layout::plain(shape);
        map.gradient = Layout::plain(shape);
        if (writer != nullptr) {
            const bool computes = steps[i - 1].activation == Activation::none;
            const bool plain = writer->kind == Kind::convolution && !steps[i - 1].pooled && computes;
            if (plain) map.gradient = Convolution::gradient_layout(*writer);
            map.relu = writer->relu;
            map_of_layer[steps[i - 1].layer + steps[i - 1].pooled] = static_cast<int>(i);
        }
        maps.push_back(map);
    }
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const Layer& layer = layers[steps[i].layer];
        const int index = static_cast<int>(i);
        const bool wants_input_gradient = training && i > first_trained;
        if (steps[i].activation != Activation::none) {
            map_layers.push_back(
                std::make_unique<ActivationPass>(steps[i].activation, index, maps, kernels, wants_input_gradient));
            map_parameters.push_back(nullptr);
            continue;
        }
        Parameters* weights = parameters[steps[i].layer];
        if (layer.kind == Kind::max_pooling) {
            map_layers.push_back(std::make_unique<MaxPooling>(layer, index, maps, kernels, wants_input_gradient));
        } else if (layer.kind == Kind::average_pooling) {
            map_layers.push_back(std::make_unique<AveragePooling>(layer, index, maps, kernels, wants_input_gradient));
        } else if (layer.kind == Kind::depthwise) {
            map_layers.push_back(std::make_unique<DepthwiseConvolution>(layer, index, maps, *weights, kernels,
                                                                        wants_input_gradient));
        } else if (layer.kind == Kind::dropout) {
            const int number = static_cast<int>(steps[i].layer);
            map_layers.push_back(std::make_unique<Dropout>(layer, number, index, maps, kernels, wants_input_gradient));
        } else if (steps[i].pooled) {
            map_layers.push_back(std::make_unique<PooledConvolution>(layer, layers[steps[i].layer + 1], index, maps,
                                                                     *weights, kernels, wants_input_gradient));
        } else {
            map_layers.push_back(
                std::make_unique<Convolution>(layer, index, maps, *weights, kernels, wants_input_gradient));
        }
        map_parameters.push_back(weights);
    }
    gradient_offsets.push_back(0);
    for (const auto& layer : map_layers) {
        gradient_offsets.push_back(gradient_offsets.back() + round_up(layer->gradient_size(), 16));
    }

    features = maps.back().value.shape.size();
    bool after_relu = maps.back().relu;
    for (std::size_t i = next; i < layers.size(); ++i) {
        const Layer& layer = layers[i];
        const int64_t outputs = layer.output.size();
        if (layer.kind == Kind::dense) {
            dense.push_back({parameters[i], static_cast<int>(i), outputs, layer.relu, after_relu, Activation::none, 0});
            after_relu = layer.relu;
            if (training && (dense.size() > 1 || first_trained < map_layers.size())) parameters[i]->keep_turned();
        }
        if (layer.kind == Kind::dropout) {
            dense.push_back({nullptr, static_cast<int>(i), outputs, false, after_relu, Activation::none, layer.dropped});
            after_relu = false;
        }
        if (layer.activation != Activation::none) {
            dense.push_back({nullptr, static_cast<int>(i), outputs, false, after_relu, layer.activation, 0});
            after_relu = false;
        }
        vector_of_layer[i] = static_cast<int>(dense.size());
    }
}

}  // namespace convscope
