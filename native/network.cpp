// The passes over a slice. Its groups of images go one after another through the maps, then the whole slice through the
// vectors, and back the other way round. Of 8 images in groups of 4, with v = plan.first_vector:
//
//     forward     images 0-3 steps [0, v)  |  images 4-7 steps [0, v)  |  images 0-7 steps [v, end)
//     backward    images 0-7 steps end - 1 to v  |  images 0-3 steps v - 1 to first_trained  |  images 4-7 the same
//
// A stage takes the part of this that is within its steps.
#include "network.hpp"

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <cstdlib>

#include "step_times.hpp"

namespace convscope {

namespace {

constexpr int64_t max_prefetched_bytes = 4096;  // of the next image, as 32 x 32 x 3 has; more might fill the cache

// Whether the padding around and between the map's pixels still holds zeros: no layer may write it.
bool has_clean_frame(const Layout& layout, const float* map) {
    std::vector<uint8_t> is_pixel(static_cast<std::size_t>(layout.size()));
    for (int64_t offset : layout.offsets()) {
        std::fill_n(is_pixel.begin() + static_cast<std::ptrdiff_t>(offset), layout.shape.channels, uint8_t{1});
    }
    for (std::size_t i = 0; i < is_pixel.size(); ++i) {
        if (is_pixel[i] == 0 && map[i] != 0) return false;
    }
    return true;
}

// Aborts if a layer wrote outside the pixels of the maps of the first `count` images.
[[maybe_unused]] void check_maps(const Plan& plan, const Workspace& workspace, int64_t count) {
    const auto check = [count](const MapImages& map, const Layout& layout) {
        if (map.first == nullptr) return;
        for (int64_t i = 0; i < std::min(count, map.held); ++i) {
            check_marks(map.image(i) + map.used, map.stride - map.used);
            if (layout.is_plain() || has_clean_frame(layout, map.image(i))) continue;
            std::fprintf(stderr, "out-of-bounds write in the frame of a map\n");
            std::abort();
        }
    };
    for (std::size_t i = 0; i < plan.maps.size(); ++i) {
        check(workspace.values[i], plan.maps[i].value);
        check(workspace.gradients[i], plan.maps[i].gradient);
    }
}

// Rewrites layers for the engine: relu becomes part of its layer (`Layer::relu`), a convolution whose groups have one
// channel each becomes a depthwise convolution, and a dense layer before a map, such as those whose outputs multiply
// maps, a convolution of one pixel. The weights have the same layout.
std::vector<Layer> as_computed(std::vector<Layer> layers) {
    const auto last_map = std::find_if(layers.rbegin(), layers.rend(), [](const Layer& layer) { return layer.reads_map(); });
    for (auto layer = last_map; layer != layers.rend(); ++layer) {
        if (layer->kind != Kind::dense) continue;
        layer->kind = Kind::convolution;
#if !defined(CONVSCOPE_NO_BFLOAT16)
        layer->bfloat16 = false;  // dense layers multiply in float32
#endif
    }
    for (Layer& layer : layers) {
        if (layer.kind == Kind::convolution && layer.groups > 1 && layer.groups == layer.input.channels) {
            layer.kind = Kind::depthwise;
            layer.groups = 1;
        }
        if (layer.kind == Kind::activation || layer.activation != Activation::relu) continue;
        layer.relu = true;
        layer.activation = Activation::none;
    }
    return layers;
}

// Computes the steps that read maps, for images [begin, end) of the slice.
void forward_maps(const Plan& plan, Range steps, Workspace& workspace, int64_t begin, int64_t end) {
    for (std::size_t step = steps.begin; step < std::min(steps.end, plan.first_vector); ++step) {
        time_step(Phase::forward, step, [&] { plan.steps[step].computes->forward(workspace, begin, end); });
    }
}

// Computes the steps that read vectors, for the first `count` images of the slice.
void forward_vectors(const Plan& plan, Range steps, Workspace& workspace, int64_t count) {
    for (std::size_t step = std::max(steps.begin, plan.first_vector); step < steps.end; ++step) {
        time_step(Phase::forward, step, [&] { plan.steps[step].computes->forward(workspace, 0, count); });
    }
}

}  // namespace

Network::Network(const Input& input, const std::vector<Layer>& layers, const Kernels& kernels)
    : input_(input), layers_(as_computed(layers)), kernels_(kernels) {
    for (const Layer& layer : layers_) {
        parameters_.push_back(layer.has_weights() ? std::make_unique<Parameters>(layer, kernels) : nullptr);
        moving_.push_back(layer.kind == Kind::normalization ? std::make_unique<MovingStatistics>() : nullptr);
        if (layer.kind != Kind::normalization) continue;
        moving_.back()->means = moving_.back()->variances = make_buffer<float>(layer.input.channels);
    }
    plan_ = std::make_unique<Plan>(make_plan(Purpose::training));
}

Plan Network::make_plan(Purpose purpose) const { return {layers_, input_, parameters_, moving_, kernels_, purpose}; }

void Network::use_moving_statistics(const Plan& plan, Batch& batch) const {
    for (std::size_t step = 0; step < plan.steps.size(); ++step) {
        if (plan.steps[step].normalizes != nullptr) plan.steps[step].normalizes->use_moving(batch.statistics[step]);
    }
}

void Network::read_image(const Plan& plan, Workspace& workspace, const Images& images, int64_t begin, int64_t i,
                         bool is_last) const {
    const Layout& layout = plan.maps[0].value;
    const int64_t row_bytes = input_.shape.width * input_.shape.channels;
    const int64_t image_bytes = input_.shape.height * row_bytes;
    const uint8_t* bytes = images.bytes + images.index(begin + i) * image_bytes;
    if (!is_last) {  // in a shuffled order the processor cannot predict the next image's address
        const uint8_t* next = images.bytes + images.index(begin + i + 1) * image_bytes;
        for (int64_t at = 0; at < std::min(image_bytes, max_prefetched_bytes); at += 64) __builtin_prefetch(next + at);
    }
    Augmenter* augmenter = workspace.scratch->augmenter.get();
    if (augmenter != nullptr) bytes = augmenter->change(workspace.chance.first + i, bytes);
    float* map = workspace.values[0].image(i) + layout.at(0, 0);
    kernels_.normalise(bytes, input_.shape.height, row_bytes, input_.scale, input_.offset, map, layout.row());
}

void Network::forward(const Plan& plan, Range steps, Workspace& workspace, Batch& batch, const Images& images,
                      int64_t begin, int64_t end) const {
    bind(plan, workspace, batch, begin);
    workspace.chance = images.chance;
    workspace.chance.first += begin;
    const int64_t count = end - begin;
    for (int64_t first = 0; first < count; first += plan.group) {
        const int64_t last = std::min(first + plan.group, count);
        for (int64_t i = first; i < last && steps.begin == 0; ++i) read_image(plan, workspace, images, begin, i, i + 1 == count);
        forward_maps(plan, steps, workspace, first, last);
    }
    forward_vectors(plan, steps, workspace, count);
    if constexpr (checks_marks) check_maps(plan, workspace, count);
    // A stage that ends before the plan does is followed by one that begins with a normalisation of what it has
    // written.
    if (steps.end == plan.steps.size()) return;
    time_step(Phase::forward, steps.end, [&] { plan.steps[steps.end].normalizes->measure(workspace, count); });
}

void Network::read(const Plan& plan, Workspace& workspace, Batch& batch, const Images& images, int64_t begin,
                   int64_t end) const {
    bind(plan, workspace, batch, begin);
    workspace.chance = images.chance;
    workspace.chance.first += begin;
    for (int64_t i = 0; i < end - begin; ++i) read_image(plan, workspace, images, begin, i, begin + i + 1 == end);
}

void Network::forward_read(const Plan& plan, Range steps, Workspace& workspace, int64_t count) const {
    for (int64_t first = 0; first < count; first += plan.group) {
        forward_maps(plan, steps, workspace, first, std::min(first + plan.group, count));
    }
    forward_vectors(plan, steps, workspace, count);
    if constexpr (checks_marks) check_maps(plan, workspace, count);
}

void Network::score(const Plan& plan, Workspace& workspace, Batch& batch, const Images& images, int64_t begin,
                    int64_t end, const Loss& loss, float scale) const {
    float* gradient = workspace.scratch->logits_gradient.data();
    for (int64_t i = begin; i < end; ++i) {
        bool correct = false;
        const int64_t index = images.index(i), label = images.labels[index];
        float weight = loss.class_weights.empty() ? 1 : loss.class_weights[static_cast<std::size_t>(label)];
        if (images.weights != nullptr) weight *= images.weights[index];
        const float* logits = workspace.values.back().image(i - begin);
        batch.losses[static_cast<std::size_t>(i)] =
            static_cast<double>(weight) *
            kernels_.cross_entropy(logits, classes(), label, loss.label_smoothing, scale * weight, gradient, &correct);
        batch.correct[static_cast<std::size_t>(i)] = correct;
        if (plan.first_trained == plan.steps.size()) continue;  // without weights there is no backward pass
        write_logits_gradient(plan, workspace, i - begin, gradient);
    }
}

// By rows, since logits may be a map with padding for its reader, or end in a relu, which masks the gradient by the
// values.
void Network::write_logits_gradient(const Plan& plan, Workspace& workspace, int64_t i, const float* gradient) const {
    const Map& map = plan.maps.back();
    const Shape shape = map.value.shape;
    for (int64_t y = 0; y < shape.height; ++y) {
        write_gradient_row(kernels_, gradient + y * shape.width * shape.channels, map, workspace.values.back().image(i), y,
                           workspace.gradients.back().image(i));
    }
}

void Network::step_back(const Plan& plan, Range steps, std::size_t step, Workspace& workspace, int64_t begin,
                        int64_t end, float* shard) const {
    const Plan::Step& plan_step = plan.steps[step];
    float* gradient = shard == nullptr ? nullptr : shard + plan.gradient_offsets[step];
    if (plan_step.normalizes != nullptr && step == steps.end) {  // the next stage begins with it and has added its sums
        plan_step.normalizes->write_input_gradient(workspace, begin, end);
    } else if (plan_step.normalizes != nullptr && step == steps.begin && workspace.statistics[step].of_batch) {
        plan_step.normalizes->add_sums(workspace, begin, end, gradient);
        return;  // its input gradient needs the sums over all images of the batch
    } else {
        plan_step.computes->backward(workspace, begin, end, gradient);
    }
    for (const Joining* joining : plan_step.joinings) joining->add_to_earlier(workspace, begin, end);
}

void Network::backward(const Plan& plan, Range steps, Workspace& workspace, Batch& batch, int64_t begin, int64_t end,
                       float* shard) const {
    bind(plan, workspace, batch, begin);
    const int64_t count = end - begin;
    // From the normalisation that begins the next stage, if there is one, down to the stage's first step.
    const std::size_t top = std::min(steps.end + 1, plan.steps.size()), bottom = std::max(steps.begin, plan.first_trained);
    for (std::size_t step = top; step-- > std::max(bottom, plan.first_vector);) {
        time_step(Phase::backward, step, [&] { step_back(plan, steps, step, workspace, 0, count, shard); });
    }
    for (int64_t first = 0; first < count; first += plan.group) {
        const int64_t last = std::min(first + plan.group, count);
        for (std::size_t step = std::min(top, plan.first_vector); step-- > bottom;) {
            time_step(Phase::backward, step, [&] { step_back(plan, steps, step, workspace, first, last, shard); });
        }
    }
    if constexpr (checks_marks) check_maps(plan, workspace, count);
}

// Pixels of a row are neighbours in a map of values, but a gradient's may have zeros between them: see Layout.
void Network::read_layer(const Plan& plan, const Workspace& workspace, std::size_t layer, int64_t i,
                         float* output) const {
    assert(plan.map_of_layer[layer] >= 0);
    const auto map = static_cast<std::size_t>(plan.map_of_layer[layer]);
    const Layout& layout = plan.maps[map].value;
    const float* from = workspace.values[map].image(i);
    const int64_t row = layout.shape.width * layout.shape.channels;
    for (int64_t y = 0; y < layout.shape.height; ++y) {
        std::copy(from + layout.at(y, 0), from + layout.at(y, 0) + row, output + y * row);
    }
}

void Network::read_gradient(const Plan& plan, const Workspace& workspace, std::size_t map, int64_t i,
                            float* output) const {
    const Layout& layout = plan.maps[map].gradient;
    const int64_t channels = layout.shape.channels;
    const float* from = workspace.gradients[map].image(i);
    for (int64_t y = 0; y < layout.shape.height; ++y) {
        for (int64_t x = 0; x < layout.shape.width; ++x, output += channels) {
            std::copy(from + layout.at(y, x), from + layout.at(y, x) + channels, output);
        }
    }
}

}  // namespace convscope
