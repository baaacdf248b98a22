// Makes a plan: lay_out_steps chooses which layers become a step, lay_out_maps how each map lies in memory, as the step
// that reads it and the step that wrote it want it, and make_layers the object that computes each step. check_extents
// then proves that no step leaves its maps.
#include "plan.hpp"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "layers/activation_pass.hpp"
#include "layers/bfloat16_convolution.hpp"
#include "layers/convolution.hpp"
#include "layers/dense.hpp"
#include "layers/depthwise_convolution.hpp"
#include "layers/dropout.hpp"
#include "layers/flatten.hpp"
#include "layers/group_normalization.hpp"
#include "layers/pooled_convolution.hpp"
#include "layers/pooling.hpp"
#include "layers/soft_voting.hpp"
#include "layers/winograd_convolution.hpp"
#include "layers/zero_padding.hpp"

namespace convscope {

namespace {

bool works_on_maps(const Layer& layer) { return layer.kind != Kind::flatten && layer.kind != Kind::dense; }

// Finds where the maps end: the first flatten or dense layer after which no layer reads a map. In convolution, flatten,
// branch, convolution, flatten, dense it is the second flatten.
std::size_t find_end_of_maps(const std::vector<Layer>& layers) {
    auto end = layers.begin();
    for (auto layer = end; layer != layers.end(); ++layer) {
        if (layer->reads_map()) end = layer;
    }
    return static_cast<std::size_t>(std::find_if_not(end, layers.end(), works_on_maps) - layers.begin());
}

// Cuts the layers' outputs to the rows and columns that the next layer reads: windows with a stride may leave out the
// last ones, as two windows of 2 rows with stride 2 leave out the last of 5 rows. The last of `outputs` windows begins
// at row (outputs - 1) stride - padding and reads `reach` rows from there on. Images stay whole.
std::vector<Layer> cut_to_read_pixels(std::vector<Layer> layers) {
    // An addition needs maps of one size, and the second reader of a map may read all of it.
    const auto reads_earlier = [](const Layer& layer) { return layer.reads_earlier(); };
    if (std::any_of(layers.begin(), layers.end(), reads_earlier)) return layers;
    std::size_t end = 0;  // of the layers that work on maps
    while (end < layers.size() && works_on_maps(layers[end])) ++end;
    for (std::size_t i = end; i-- > 1;) {
        // Not cut: the output of a dropout, which chooses numbers by their index in the whole map; of a normalisation,
        // whose statistics are of the whole map; and of a padding, of which only its leading zeros might be left.
        const Layer& writer = layers[i - 1];
        if (writer.kind == Kind::dropout || writer.is_normalization() || writer.kind == Kind::zero_padding) continue;
        Layer& layer = layers[i];
        const auto read = [&layer](std::size_t axis, int64_t size, int64_t outputs) {
            return std::min(size, (outputs - 1) * layer.stride[axis] - layer.padding[axis] + layer.reach(axis));
        };
        layer.input.height = read(0, layer.input.height, layer.output.height);
        layer.input.width = read(1, layer.input.width, layer.output.width);
        layers[i - 1].output = layer.input;
    }
    return layers;
}

// Makes each fused relu an activation of its own, so that the gradient with respect to its output exists.
std::vector<Layer> separate_relu(std::vector<Layer> layers) {
    for (Layer& layer : layers) {
        if (layer.relu) layer.activation = Activation::relu;
        layer.relu = false;
    }
    return layers;
}

bool fuses_layers(Purpose purpose) { return purpose == Purpose::training || purpose == Purpose::input_gradient; }

std::vector<Layer> layers_for(Purpose purpose, const std::vector<Layer>& layers) {
    if (purpose == Purpose::gradients) return separate_relu(layers);
    return fuses_layers(purpose) ? cut_to_read_pixels(layers) : layers;
}

// Whether max(f(x)) = f(max(x)) for the activation f, so that f can follow the pooling: not if f falls anywhere.
bool commutes_with_maximum(Activation activation) {
    return activation != Activation::gelu && activation != Activation::silu && activation != Activation::hard_silu;
}

// Whether a joining layer also reads the output of layer `number` (-1: the image).
bool has_second_reader(const std::vector<Layer>& layers, int64_t number) {
    return std::any_of(layers.begin(), layers.end(),
                       [number](const Layer& reader) { return reader.reads_earlier() && reader.earlier == number; });
}

// Chooses the kind of the step that begins with layer `next`.
StepKind choose_step(const std::vector<Layer>& layers, std::size_t next, Purpose purpose) {
    const Layer& layer = layers[next];
    if (layer.kind != Kind::convolution) return StepKind::layer;
    if (Bfloat16Convolution::fits(layer)) return StepKind::bfloat16_convolution;
    const bool fuses = fuses_layers(purpose);
    if (fuses && commutes_with_maximum(layer.activation) && next + 1 < layers.size() &&
        PooledConvolution::fits(layer, layers[next + 1]) && !has_second_reader(layers, static_cast<int64_t>(next))) {
        return StepKind::pooled_convolution;
    }
    if (fuses && choose_winograd(layer) != WinogradAlgorithm::none) return StepKind::winograd_convolution;
    return StepKind::direct_convolution;
}

bool is_unpooled_convolution(StepKind kind) {
    return kind == StepKind::direct_convolution || kind == StepKind::bfloat16_convolution ||
           kind == StepKind::winograd_convolution;
}

// Whether a flatten must copy its input. In conv A, flatten B, dense C it need not: C reads the map of A and writes its
// gradient where they are. Only the flatten that ends the maps is such a B; those after it flatten vectors.
bool must_copy(const std::vector<Layer>& layers, std::size_t flatten, std::size_t end_of_maps,
               const std::vector<Plan::Step>& steps) {
    if (flatten < end_of_maps) return true;
    // If a joining layer also reads the input or the flattened vector, the two have different gradients.
    const auto number = static_cast<int64_t>(flatten);
    if (has_second_reader(layers, number - 1)) return true;
    if (flatten > end_of_maps) return false;  // a vector stays as it is
    if (has_second_reader(layers, number)) return true;
    // A layer C that is not dense wants a 1 x 1 map. A convolution A wants a gradient with padding, which C leaves out.
    if (flatten + 1 < layers.size() && layers[flatten + 1].kind != Kind::dense) return true;
    return !steps.empty() && is_unpooled_convolution(steps.back().kind);
}

// Lays out a map's values as their reader wants them: a convolution with padding around them.
Layout lay_out_values(const Plan::Step& reader, const Layer& layer, const Shape& shape) {
    if (reader.kind == StepKind::activation) return Layout::plain(shape);
    if (reader.kind == StepKind::winograd_convolution) return WinogradConvolution::input_layout(layer);
    const bool pads = layer.kind == Kind::convolution || layer.kind == Kind::depthwise;
    return pads ? Convolution::input_layout(layer) : Layout::plain(shape);
}

// Lays out a map's gradient as the map's writer reads it in the backward pass: a convolution with padding around it,
// and zeros between its pixels for a stride.
Layout lay_out_gradient(const Plan::Step& writer, const Layer& layer) {
    if (writer.kind == StepKind::winograd_convolution) return WinogradConvolution::gradient_layout(layer);
    if (is_unpooled_convolution(writer.kind)) return Convolution::gradient_layout(layer);
    return Layout::plain(writer.output);
}

// Whether the cells, which a layer reads or writes, are part of a map of this layout, and end before `room`, an image's
// numbers in memory. Written cells must be the whole map, since later layers may read all of it.
bool fits(const Cells& cells, const Layout& layout, int64_t room, bool written) {
    const Shape some = cells.shape, all = layout.shape;
    if (layout.top < 0 || layout.left < 0 || Cells::in(layout, all).end > layout.size() || cells.end > room) return false;
    if (cells.plain && !layout.is_plain()) return false;
    if (some.height == 1 && some.width == 1 && cells.plain) {  // a vector: a dense layer reads a map's numbers as one
        return written ? some.channels == all.size() : some.channels <= all.size();
    }
    if (some.channels != all.channels || some.height > all.height || some.width > all.width) return false;
    return !written || (some.height == all.height && some.width == all.width);
}

}  // namespace

Plan::Plan(const std::vector<Layer>& whole_layers, const Input& input,
           const std::vector<std::unique_ptr<Parameters>>& parameters, const Moving& moving, const Kernels& kernels,
           Purpose purpose)
    : purpose(purpose), map_of_layer(whole_layers.size(), -1) {
    const std::vector<Layer> layers = layers_for(purpose, whole_layers);
    lay_out_steps(layers);
    first_trained = steps.size();
    for (std::size_t i = steps.size(); i-- > 0;) {
        if (steps[i].kind != StepKind::activation) steps[i].parameters = parameters[steps[i].layer].get();
        if (steps[i].parameters != nullptr) first_trained = i;
    }
    if (goes_to_image()) first_trained = 0;
    lay_out_maps(layers, input);
    make_layers(layers, moving, kernels);
    check_extents(kernels);
    stages.push_back({});
    for (std::size_t i = 0; i < steps.size(); ++i) {
        if (steps[i].normalizes != nullptr) stages.push_back({i, i});
        stages.back().end = i + 1;
    }
    gradient_offsets.push_back(0);
    for (const Step& step : steps) {
        group = std::max(group, step.computes->group());
        // 16 floats are a cache line: sums of different steps share none.
        gradient_offsets.push_back(gradient_offsets.back() + round_up(step.computes->gradient_size(), 16));
    }
}

void Plan::lay_out_steps(const std::vector<Layer>& layers) {
    const std::size_t end_of_maps = find_end_of_maps(layers);
    for (std::size_t next = 0; next < layers.size(); ++next) {
        const Layer& layer = layers[next];
        if (layer.kind == Kind::flatten) {
            if (must_copy(layers, next, end_of_maps, steps)) steps.push_back({next, StepKind::layer, layer.output});
            if (next == end_of_maps) first_vector = steps.size();  // the copy, or without one the map
        } else {
            if (next == end_of_maps) first_vector = steps.size();  // the map that this dense layer reads
            const std::size_t first = next;
            const StepKind kind = choose_step(layers, first, purpose);
            if (kind == StepKind::pooled_convolution) ++next;  // the step is both layers
            steps.push_back({first, kind, layers[next].output});
            if (layer.activation != Activation::none && layer.kind != Kind::activation) {
                steps.push_back({first, StepKind::activation, layers[next].output});
            }
        }
        map_of_layer[next] = static_cast<int>(steps.size());
    }
    if (end_of_maps == layers.size()) first_vector = steps.size();
}

void Plan::lay_out_maps(const std::vector<Layer>& layers, const Input& input) {
    const bool has_stages = std::any_of(layers.begin(), layers.end(),
                                        [](const Layer& layer) { return layer.kind == Kind::normalization; });
    for (std::size_t i = 0; i <= steps.size(); ++i) {  // step i - 1 writes map i, step i reads it
        Map map;
        map.value = map.gradient = Layout::plain(i == 0 ? input.shape : steps[i - 1].output);
        if (i < steps.size()) map.value = lay_out_values(steps[i], layers[steps[i].layer], map.value.shape);
        // Gradients that a caller asked for are read after the backward pass of the slice, so they are kept until then.
        map.keeps_gradient = purpose == Purpose::gradients || (purpose == Purpose::input_gradient && i == 0);
        if (i > 0) {
            const Step& writer = steps[i - 1];
            const Layer& layer = layers[writer.layer];
            map.gradient = lay_out_gradient(writer, layer);
            map.relu = layer.relu;
            // These may read the gradient of their output again when an earlier stage (see Plan::stages) goes back: a
            // normalisation to write its input gradient, a joining layer to add to the gradient of its second input.
            const bool reads_again = layer.kind == Kind::normalization || layer.reads_earlier();
            map.keeps_gradient |= has_stages && reads_again && writer.kind != StepKind::activation;
        }
        for (std::size_t step = std::max(first_vector, i); step < steps.size(); ++step) {
            const Layer& layer = layers[steps[step].layer];
            map.read_by_vectors |= layer.reads_earlier() && map_read_earlier(layer) == i;
        }
        maps.push_back(map);
    }
}

void Plan::make_layers(const std::vector<Layer>& layers, const Moving& moving, const Kernels& kernels) {
    for (std::size_t i = 0; i < steps.size(); ++i) {
        Step& step = steps[i];
        const StepContext context = {layers[step.layer], i, maps[i], maps[i + 1], kernels, wants_gradient(i)};
        step.computes = make_step(context, step, layers, moving);
    }
}

std::unique_ptr<MapLayer> Plan::make_step(const StepContext& context, Step& step, const std::vector<Layer>& layers,
                                          const Moving& moving) {
    switch (step.kind) {
        case StepKind::activation: return std::make_unique<ActivationPass>(context);
        case StepKind::pooled_convolution:
            return std::make_unique<PooledConvolution>(context, layers[step.layer + 1], *step.parameters);
        case StepKind::bfloat16_convolution:
#if !defined(CONVSCOPE_NO_BFLOAT16)  // the page's engine is compiled without it
            return std::make_unique<Bfloat16Convolution>(context, *step.parameters);
#endif
            break;
        case StepKind::winograd_convolution: return std::make_unique<WinogradConvolution>(context, *step.parameters);
        case StepKind::direct_convolution: return std::make_unique<Convolution>(context, *step.parameters);
        case StepKind::layer: return make_layer(context, step, moving);
    }
    return nullptr;
}

std::unique_ptr<MapLayer> Plan::make_layer(const StepContext& context, Step& step, const Moving& moving) {
    switch (context.layer.kind) {
        case Kind::convolution:
            break;  // never here: choose_step gives a convolution another kind of step
        case Kind::depthwise: return std::make_unique<DepthwiseConvolution>(context, *step.parameters);
        case Kind::max_pooling: return std::make_unique<MaxPooling>(context);
        case Kind::average_pooling: return std::make_unique<AveragePooling>(context);
        case Kind::dropout: return std::make_unique<Dropout>(context, static_cast<int>(step.layer));
        case Kind::normalization: {
            auto normalization = std::make_unique<BatchNormalization>(context, *step.parameters, *moving[step.layer]);
            step.normalizes = normalization.get();
            return normalization;
        }
        case Kind::layer_normalization:
        case Kind::group_normalization: return std::make_unique<GroupNormalization>(context, *step.parameters);
        case Kind::addition: return make_joining<Addition>(context);
        case Kind::multiplication: return make_joining<Multiplication>(context);
        case Kind::branch:
        case Kind::concatenation: return make_joining<Concatenation>(context);
        case Kind::soft_voting: return std::make_unique<SoftVoting>(context);
        case Kind::zero_padding: return std::make_unique<ZeroPadding>(context);
        case Kind::activation: return std::make_unique<ActivationPass>(context);
        case Kind::prelu: return std::make_unique<ActivationPass>(context, step.parameters);
        case Kind::flatten: return std::make_unique<Flatten>(context);
        case Kind::dense: return std::make_unique<Dense>(context, *step.parameters, context.map - first_vector);
    }
    return nullptr;
}

template <class JoiningLayer>
std::unique_ptr<MapLayer> Plan::make_joining(const StepContext& context) {
    const std::size_t earlier = map_read_earlier(context.layer);
    auto joining = std::make_unique<JoiningLayer>(context, earlier, maps[earlier]);
    if (wants_gradient(earlier)) steps[earlier].joinings.push_back(joining.get());
    return joining;
}

void Plan::check_extents(const Kernels& kernels) const {
    bool all_fit = true;
    const auto check = [&](const Cells& cells, std::size_t map, const Layout& layout, bool written) {
        // Products write whole panels of columns, so a vector has room up to the next multiple of the panel width.
        const int64_t room = map < first_vector ? layout.size() : round_up(layout.size(), kernels.panel_width);
        all_fit = all_fit && fits(cells, layout, room, written);
    };
    const bool has_backward = purpose != Purpose::outputs;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const Extents extents = steps[i].computes->extents();
        const bool reads_two = extents.reads_earlier.end > 0;
        check(extents.reads, i, maps[i].value, false);
        check(extents.writes, i + 1, maps[i + 1].value, true);
        if (has_backward && i >= first_trained) check(extents.reads_gradient, i + 1, maps[i + 1].gradient, false);
        if (wants_gradient(i)) check(extents.writes_gradient, i, maps[i].gradient, true);
        if (!reads_two) continue;
        const std::size_t earlier = extents.earlier;
        check(extents.reads_earlier, earlier, maps[earlier].value, false);
        if (wants_gradient(earlier)) check(extents.writes_earlier_gradient, earlier, maps[earlier].gradient, true);
    }
    if (all_fit) return;
#if defined(__cpp_exceptions)
    throw std::logic_error("a layer would access memory outside its maps; this is a bug of the engine, please report the "
                           "architecture");
#else
    std::abort();
#endif
}

}  // namespace convscope
