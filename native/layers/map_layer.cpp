#include "map_layer.hpp"

#include <algorithm>

namespace convscope {

MapLayer::MapLayer(const StepContext& context)
    : layer_(context.layer), map_(context.map), input_(context.input), output_(context.output),
      kernels_(context.kernels), wants_input_gradient_(context.wants_input_gradient) {}

void MapLayer::write_input_gradient(Workspace& workspace, int64_t image, const float* numbers, int64_t row) const {
    const float* values = workspace.values[map_].image(image);
    float* gradient = workspace.gradients[map_].image(image);
    for (int64_t y = 0; y < input_.value.shape.height; ++y, numbers += row) {
        write_gradient_row(kernels_, numbers, input_, values, y, gradient);
    }
}

void MapLayer::collect(const Batch&, int64_t, int64_t, int64_t, int64_t, int64_t, float*) const {}

void add_shards(const std::vector<Buffer<float>>& shards, int64_t first, int64_t count, const Kernels& kernels, float* total) {
    std::copy(shards[0].data() + first, shards[0].data() + first + count, total);
    constexpr int64_t cache_line = 16;
    for (std::size_t s = 1; s < shards.size(); ++s) {
        const float* next = shards[std::min(s + 1, shards.size() - 1)].data() + first;  // half are in another core's cache
        for (int64_t i = 0; i < count; i += cache_line) __builtin_prefetch(next + i);
        kernels.add(total, shards[s].data() + first, count);
    }
}

}  // namespace convscope
