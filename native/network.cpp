#include "network.hpp"

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <cstdlib>

namespace convscope {

namespace {

constexpr int64_t max_prefetched_bytes = 4096;  // how much of the next image is prefetched

// Fills the gap after each image's map with marks (see buffer.hpp).
[[maybe_unused]] void mark_gaps(const MapImages& map, int64_t images) {
    for (int64_t i = 0; i < images; ++i) write_marks(map.first + i * map.stride + map.used, map.stride - map.used);
}

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

// Rewrites layers for the engine: relu becomes part of its layer (`Layer::relu`), and a convolution whose groups have
// one channel each becomes a depthwise convolution, whose weights have the same layout.
std::vector<Layer> as_computed(std::vector<Layer> layers) {
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
        plan.steps[step].computes->forward(workspace, begin, end);
    }
}

// Computes the steps that read vectors, for the first `count` images of the slice.
void forward_vectors(const Plan& plan, Range steps, Workspace& workspace, int64_t count) {
    for (std::size_t step = std::max(steps.begin, plan.first_vector); step < steps.end; ++step) {
        plan.steps[step].computes->forward(workspace, 0, count);
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

Plan Network::make_plan(Purpose purpose) const {
    return Plan(layers_, input_, parameters_, moving_, kernels_, purpose);
}

// Who owns the memory of map i (v: plan.first_vector). `bind` points to the batch's and the thread's before each slice.
//
//                  i < v                                             i = v               i > v
//     values       workspace                                         batch               batch
//     gradients    thread, or workspace if gradient_crosses          as for i < v        batch
Workspace Network::make_workspace(const Plan& plan, Kept kept) const {
    const bool has_backward = kept == Kept::gradients;
    Workspace workspace;
    for (std::size_t i = 0; i < plan.maps.size(); ++i) {
        MapImages values;
        const bool is_vector = i >= plan.first_vector;
        // No layer reads the map again after its group of images, so the next group may overwrite it.
        const bool is_overwritten = !is_vector && kept == Kept::logits && !plan.maps[i].read_by_vectors;
        values.held = is_overwritten ? plan.group : slice_images;
        values.used = plan.maps[i].value.size();
        values.stride = round_up(values.used, 16) + map_gap;
        if (!is_vector) values.buffer = make_buffer<float>(values.held * values.stride);
        values.first = values.buffer.data();
        if (checks_marks && !is_vector) mark_gaps(values, values.held);
        workspace.values.push_back(std::move(values));
        const bool has_gradients = has_backward && i <= plan.first_vector && plan.maps[i].gradient_crosses;
        workspace.gradients.push_back(has_gradients ? make_gradients(plan, i, slice_images) : MapImages{});
    }
    for (const Plan::Step& step : plan.steps) {
        workspace.orders.push_back(make_buffer<int32_t>(slice_images * step.computes->order_size()));
        workspace.winners.push_back({});
        if (has_backward) workspace.winners.back() = make_buffer<int32_t>(slice_images * step.computes->winners_size());
    }
    return workspace;
}

MapImages Network::make_gradients(const Plan& plan, std::size_t map, int64_t held) const {
    MapImages gradients;
    gradients.held = held;
    const int64_t size = plan.maps[map].gradient.size(), with_room = round_up(size, kernels_.panel_width);
    gradients.used = map < plan.first_vector ? size : with_room;  // products write whole panels of a vector
    gradients.stride = with_room + map_gap;
    gradients.buffer = make_buffer<float>(held * gradients.stride);
    gradients.first = gradients.buffer.data();
    if constexpr (checks_marks) mark_gaps(gradients, held);
    return gradients;
}

Scratch Network::make_scratch(const Plan& plan, Kept kept) const {
    const bool has_backward = kept == Kept::gradients;
    Scratch scratch;
    int64_t filters = 0, bfloat16 = 0;
    for (const Map& map : plan.maps) filters = std::max(filters, map.value.shape.channels);
    for (const Plan::Step& step : plan.steps) {
        scratch.forward.push_back(make_buffer<float>(step.computes->forward_scratch_size()));
        scratch.backward.push_back(make_buffer<float>(has_backward ? step.computes->scratch_size() : 0));
        bfloat16 = std::max(bfloat16, step.computes->bfloat16_scratch_size());
    }
    scratch.bfloat16 = make_buffer<uint16_t>(bfloat16);
    if (!has_backward) return scratch;
    scratch.gradients.resize(plan.first_vector + 1);
    for (std::size_t i = plan.first_trained + 1; i <= plan.first_vector; ++i) {
        if (plan.maps[i].gradient_crosses) continue;
        scratch.gradients[i] = make_gradients(plan, i, i < plan.first_vector ? plan.group : slice_images);
    }
    scratch.logits_gradient = make_buffer<float>(classes());
    scratch.won = make_buffer<uint32_t>(marked_cells * 4 * ((filters + 31) / 32));
    return scratch;
}

Batch Network::make_batch(const Plan& plan, int64_t images, int64_t shards, Kept kept) const {
    const bool has_backward = kept == Kept::gradients;
    Batch batch;
    for (std::size_t i = plan.first_vector; i < plan.maps.size(); ++i) {
        const int64_t used = round_up(plan.maps[i].value.size(), kernels_.panel_width);
        int64_t stride = used + map_gap;
        if (stride % 512 == 0) stride += 16;  // vectors a power of two apart would compete for the same cache sets
        const auto make_vectors = [&](bool wanted) {
            Buffer<float> vectors = make_buffer<float>(wanted ? images * stride : 0);
            if (checks_marks && wanted) mark_gaps({vectors.data(), stride, images, used, {}}, images);
            return vectors;
        };
        batch.used.push_back(used);
        batch.strides.push_back(stride);
        batch.values.push_back(make_vectors(true));
        batch.gradients.push_back(make_vectors(has_backward && i > plan.first_vector));
    }
    batch.statistics.resize(plan.steps.size());
    for (std::size_t step = 0; step < plan.steps.size(); ++step) {
        if (plan.steps[step].normalizes == nullptr) continue;
        batch.statistics[step] = plan.steps[step].normalizes->make_statistics(has_backward ? count_slices(images) : 0);
    }
    if (!has_backward) return batch;
    batch.losses.resize(static_cast<std::size_t>(images));
    batch.correct.resize(static_cast<std::size_t>(images));
    for (int64_t s = 0; s < shards; ++s) batch.shards.push_back(make_buffer<float>(plan.gradient_offsets.back()));
    return batch;
}

void Network::use_moving_statistics(const Plan& plan, Batch& batch) const {
    for (std::size_t step = 0; step < plan.steps.size(); ++step) {
        if (plan.steps[step].normalizes != nullptr) plan.steps[step].normalizes->use_moving(batch.statistics[step]);
    }
}

void Network::bind(const Plan& plan, Workspace& workspace, Batch& batch, int64_t begin) const {
    workspace.slice = begin / slice_images;
    workspace.statistics = batch.statistics.data();
    for (std::size_t i = 0; i < workspace.scratch->gradients.size(); ++i) {
        const MapImages& own = workspace.scratch->gradients[i];
        if (own.first != nullptr) workspace.gradients[i] = {own.first, own.stride, own.held, own.used, {}};
    }
    const bool has_backward = !batch.losses.empty();
    for (std::size_t v = 0; v < batch.values.size(); ++v) {  // vector v of the batch is map first_vector + v
        const std::size_t i = plan.first_vector + v;
        const int64_t stride = batch.strides[v], used = batch.used[v];
        workspace.values[i] = {batch.values[v].data() + begin * stride, stride, slice_images, used, {}};
        if (v == 0 || !has_backward) continue;
        workspace.gradients[i] = {batch.gradients[v].data() + begin * stride, stride, slice_images, used, {}};
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
    if (steps.end < plan.steps.size()) plan.steps[steps.end].normalizes->measure(workspace, count);
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
        const int64_t label = images.labels[images.index(i)];
        const float weight = loss.class_weights.empty() ? 1 : loss.class_weights[static_cast<std::size_t>(label)];
        const float* logits = workspace.values.back().image(i - begin);
        batch.losses[static_cast<std::size_t>(i)] =
            static_cast<double>(weight) *
            kernels_.cross_entropy(logits, classes(), label, loss.label_smoothing, scale * weight, gradient, &correct);
        batch.correct[static_cast<std::size_t>(i)] = correct;
        if (plan.first_trained == plan.steps.size()) continue;  // without weights there is no backward pass
        write_logits_gradient(plan, workspace, i - begin, gradient);
    }
}

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
        step_back(plan, steps, step, workspace, 0, count, shard);
    }
    for (int64_t first = 0; first < count; first += plan.group) {
        const int64_t last = std::min(first + plan.group, count);
        for (std::size_t step = std::min(top, plan.first_vector); step-- > bottom;) {
            step_back(plan, steps, step, workspace, first, last, shard);
        }
    }
    if constexpr (checks_marks) check_maps(plan, workspace, count);
}

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
