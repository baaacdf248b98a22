// How a network is computed: the maps with their layouts, and the layers between them, fused where they fit.
#pragma once

#include <memory>
#include <vector>

#include "layers/batch_normalization.hpp"
#include "layers/joining.hpp"
#include "layers/map_layer.hpp"
#include "parameters.hpp"

namespace convscope {

// Steps [begin, end) of a plan.
struct Range {
    std::size_t begin = 0, end = 0;
};

// What a plan is made for.
enum class Purpose {
    training,   // layers are fused, places that nobody reads left out; the way back goes as far as there are weights
    outputs,    // every layer's output in full, and no way back
    gradients,  // every layer's output in full, and the way back to all of them and to the image; relu is a step of its own
    input_gradient,  // as training, but for the way back, which goes to the image and to no weights
};

// What a step computes, and of a convolution by which algorithm.
enum class StepKind {
    layer,  // a layer that is no convolution; a depthwise convolution is one
    direct_convolution,
    bfloat16_convolution,
    winograd_convolution,
    pooled_convolution,  // a convolution and the max pooling behind it
    activation,          // the one behind a layer
};

struct Plan {
    // `parameters` and `moving` by layer of the architecture, null where a layer has none.
    Plan(const std::vector<Layer>& whole_layers, const Input& input, const std::vector<Parameters*>& parameters,
         const std::vector<MovingStatistics*>& moving, const Kernels& kernels, Purpose purpose);

    // A layer of the plan: one layer of the architecture or a fused pair, or the activation behind it.
    struct Step {
        std::size_t layer;  // of the architecture
        StepKind kind;
        Shape output;
        Parameters* parameters = nullptr;
        std::unique_ptr<MapLayer> computes = nullptr;
        BatchNormalization* normalizes = nullptr;  // `computes`, where it is one
        std::vector<Joining*> joinings = {};       // the later steps that also read the map which this one reads
    };

    const Purpose purpose;
    std::vector<Map> maps;  // one more than steps
    std::vector<Step> steps;
    std::vector<int> map_of_layer;  // by layer of the architecture: the map it writes, or -1 where it is fused away
    std::size_t first_vector;       // the first map that lies in the batch: what a dense layer reads, or the logits
    std::size_t first_trained;      // step with the first weights, or where all gradients are wanted the first; steps.size() if none has
    int64_t group = 1;              // images that go from step to step together, up to the vectors; a power of two

    // Whether the way back writes the gradient by a map.
    bool wants_gradient(std::size_t map) const {
        return goes_to_image() || (purpose == Purpose::training && map > first_trained);
    }

    // The map that a layer reads beside the one before it, or in its place.
    std::size_t map_read_earlier(const Layer& layer) const {
        return layer.earlier < 0 ? 0 : static_cast<std::size_t>(map_of_layer[static_cast<std::size_t>(layer.earlier)]);
    }

    // The steps between two batch normalisations, each of which begins a stage.
    std::vector<Range> stages;
    Range whole() const { return {0, steps.size()}; }

    // From which position of a shard's sums a step's begin; the last entry is the size of all.
    std::vector<int64_t> gradient_offsets;

   private:
    bool goes_to_image() const { return purpose == Purpose::gradients || purpose == Purpose::input_gradient; }
    void lay_out_steps(const std::vector<Layer>& layers);
    void lay_out_maps(const std::vector<Layer>& layers, const Input& input);
    void make_layers(const std::vector<Layer>& layers, const std::vector<MovingStatistics*>& moving, const Kernels& kernels);
    void make_layer(const StepContext& context, Step& step, const std::vector<MovingStatistics*>& moving);
    // Throws std::logic_error, or ends the program where there are no exceptions, if a layer goes beyond its maps.
    void check_extents(const Kernels& kernels) const;
};

}  // namespace convscope
