// Makes and binds the memory of a network's passes; workspace.hpp has the structures, network.hpp the words.
//
// A map lies in the memory of its slice, of the thread or of the batch. With v = plan.first_vector, the input of the
// first dense layer, the owners of map i are
//
//                  i < v                                        i = v              i > v
//     values       slice                                        batch              batch
//     gradients    thread, or slice if the map keeps_gradient   as for i < v       batch
//
// A thread goes on to the next group of images, or to another slice, and overwrites its memory. So a gradient that is
// read again later must lie with the slice. The vectors of all images are kept, since the gradient of dense weights is
// a product over the batch. A slice does not own what the thread and the batch own: `bind` points it there before each
// pass.
#include <algorithm>

#include "network.hpp"

namespace convscope {

namespace {

constexpr int64_t cache_line = 16;  // floats; the map of each image begins at one

// Fills the gap after each image's map with marks (see buffer.hpp).
[[maybe_unused]] void mark_gaps(const MapImages& map, int64_t images) {
    for (int64_t i = 0; i < images; ++i) write_marks(map.first + i * map.stride + map.used, map.stride - map.used);
}

}  // namespace

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
        values.stride = round_up(values.used, cache_line) + map_gap;
        if (!is_vector) values.buffer = make_buffer<float>(values.held * values.stride);
        values.first = values.buffer.data();
        if (checks_marks && !is_vector) mark_gaps(values, values.held);
        workspace.values.push_back(std::move(values));
        const bool has_gradients = has_backward && i <= plan.first_vector && plan.maps[i].keeps_gradient;
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
    int64_t filters = 0, floats = 0, bfloat16 = 0;
    for (const Map& map : plan.maps) filters = std::max(filters, map.value.shape.channels);
    for (const Plan::Step& step : plan.steps) {
        floats = std::max({floats, step.computes->forward_scratch_size(), has_backward ? step.computes->scratch_size() : 0});
        bfloat16 = std::max(bfloat16, step.computes->bfloat16_scratch_size());
    }
    scratch.floats = make_buffer<float>(floats);
    scratch.bfloat16 = make_buffer<uint16_t>(bfloat16);
    if (!has_backward) return scratch;
    scratch.gradients.resize(plan.first_vector + 1);
    // From the output of the first step with weights on: the backward pass ends there, so no gradient before is wanted.
    for (std::size_t i = plan.first_trained + 1; i <= plan.first_vector; ++i) {
        if (plan.maps[i].keeps_gradient) continue;
        scratch.gradients[i] = make_gradients(plan, i, i < plan.first_vector ? plan.group : slice_images);
    }
    scratch.logits_gradient = make_buffer<float>(classes());
    scratch.won = make_buffer<uint32_t>(marked_cells * marks_size(filters));
    return scratch;
}

Batch Network::make_batch(const Plan& plan, int64_t images, int64_t shards, Kept kept) const {
    const bool has_backward = kept == Kept::gradients;
    Batch batch;
    for (std::size_t i = plan.first_vector; i < plan.maps.size(); ++i) {
        const int64_t used = round_up(plan.maps[i].value.size(), kernels_.panel_width);
        int64_t stride = used + map_gap;
        if (stride % 512 == 0) stride += cache_line;  // a power of two apart, vectors compete for cache sets
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

}  // namespace convscope
