// How a network is computed: the maps with their layouts in memory, and the steps between them. Step i reads map i and
// writes map i + 1. It is a layer, a convolution fused with the pooling after it, or a layer's activation. A vector is
// a map of one pixel; maps are computed image by image or in small groups, the vectors at the end for 8 images at once.
// Network makes a plan for training and prediction, and others by Network::make_plan; a plan does not change, and any
// number of threads use it.
#pragma once

#include <memory>
#include <vector>

#include "layers/batch_normalization.hpp"
#include "layers/joining.hpp"
#include "layers/map_layer.hpp"
#include "parameters.hpp"

namespace convscope {

// Steps [begin, end) of a plan.
struct Range { std::size_t begin = 0, end = 0; };

// What a plan is made for.
enum class Purpose {
    training,   // and prediction: layers are fused, maps cut to the pixels that are read; gradients of weights
    outputs,    // every layer's output in full; no backward pass
    gradients,  // every layer's output in full, relu as a step of its own; gradients with respect to outputs and the image
    input_gradient,  // fused and cut as for training; only the gradient with respect to the image
};

// What a step computes, and of a convolution by which algorithm.
enum class StepKind {
    layer,  // a layer that is no convolution; a depthwise convolution is one
    direct_convolution,
    bfloat16_convolution,
    winograd_convolution,
    pooled_convolution,  // a convolution fused with the max pooling after it
    activation,          // the activation of a layer of another kind, computed after that layer
};

// For example, a convolution, a max pooling, a flatten and a dense layer become two steps and three maps:
//
//     map 0: image ── step 0: pooled_convolution ──▶ map 1 ── step 1: dense ──▶ map 2: logits
//
// with map_of_layer = {-1, 1, 1, 2} and first_vector = 1: the dense layer reads map 1 instead of a flattened copy.
struct Plan {
    using Moving = std::vector<std::unique_ptr<MovingStatistics>>;

    // `parameters` and `moving` have an entry for each layer of the architecture, null if the layer has none.
    Plan(const std::vector<Layer>& whole_layers, const Input& input,
         const std::vector<std::unique_ptr<Parameters>>& parameters, const Moving& moving, const Kernels& kernels,
         Purpose purpose);

    // Computes map i + 1 from map i: one layer of the architecture, a fused pair of layers, or a layer's activation.
    struct Step {
        std::size_t layer;  // index in the architecture; the first layer of a fused pair
        StepKind kind;
        Shape output;
        Parameters* parameters = nullptr;
        std::unique_ptr<MapLayer> computes = nullptr;
        BatchNormalization* normalizes = nullptr;  // `computes` if it is a batch normalisation, else null
        std::vector<Joining*> joinings = {};       // later steps that read this step's input map as their second input
    };

    const Purpose purpose;
    std::vector<Map> maps;  // one more than steps: the image, then each step's output
    std::vector<Step> steps;
    std::vector<int> map_of_layer;  // the map that each layer of the architecture writes; -1 if it is fused with the next
    std::size_t first_vector;       // the first map that `Batch` stores: the input of the first dense layer, or the logits
    std::size_t first_trained;      // where the backward pass ends: the first step with weights (steps.size() if none has),
                                    // or 0 if it goes to the image
    int64_t group = 1;              // images that go together from step to step up to the vectors; a power of two

    // Whether the backward pass writes the gradient with respect to a map.
    bool wants_gradient(std::size_t map) const {
        return goes_to_image() || (purpose == Purpose::training && map > first_trained);
    }

    // The second map that a joining layer reads. A branch reads only this one.
    std::size_t map_read_earlier(const Layer& layer) const {
        return layer.earlier < 0 ? 0 : static_cast<std::size_t>(map_of_layer[static_cast<std::size_t>(layer.earlier)]);
    }

    // The steps, cut before each batch normalisation: it needs the statistics of the batch, so all images wait. If step
    // 2 of 5 is one, the stages are [0, 2) and [2, 5).
    std::vector<Range> stages;
    Range whole() const { return {0, steps.size()}; }

    // Where a step's gradients begin in a shard's sums, at multiples of 16, and the end: 0 32 32 64 for 30, 0 and 20.
    std::vector<int64_t> gradient_offsets;

   private:
    bool goes_to_image() const { return purpose == Purpose::gradients || purpose == Purpose::input_gradient; }
    void lay_out_steps(const std::vector<Layer>& layers);
    void lay_out_maps(const std::vector<Layer>& layers, const Input& input);
    void make_layers(const std::vector<Layer>& layers, const Moving& moving, const Kernels& kernels);
    std::unique_ptr<MapLayer> make_step(const StepContext& context, Step& step, const std::vector<Layer>& layers,
                                        const Moving& moving);
    std::unique_ptr<MapLayer> make_layer(const StepContext& context, Step& step, const Moving& moving);
    template <class JoiningLayer>
    std::unique_ptr<MapLayer> make_joining(const StepContext& context);
    // Throws std::logic_error (without exceptions it aborts) if a layer would read or write outside its maps.
    void check_extents(const Kernels& kernels) const;
};

}  // namespace convscope
