#include "layer_gradients.hpp"

namespace convscope {

LayerGradients::LayerGradients(const Network& network)
    : network_(network), plan_(network.make_plan(Purpose::gradients)), predictor_(network, plan_, Kept::gradients) {}

bool LayerGradients::compute(int threads, const Images& images, int64_t count, const float* dlogits,
                             const std::vector<LayerGradient>& wanted, Watcher& watcher) {
    auto work = [&](SliceArrays& arrays, int64_t begin, int64_t end, auto) {
        Workspace& workspace = arrays.workspace;
        network_.forward(plan_, plan_.whole(), workspace, arrays.batch, predictor_.from(images, begin), 0, end - begin);
        for (int64_t i = begin; i < end; ++i) {
            network_.write_logits_gradient(plan_, workspace, i - begin, dlogits + i * network_.classes());
        }
        network_.backward(plan_, plan_.whole(), workspace, arrays.batch, 0, end - begin, nullptr);
        for (const LayerGradient& one : wanted) {
            const auto map = static_cast<std::size_t>(
                one.layer < 0 ? 0 : plan_.map_of_layer[static_cast<std::size_t>(one.layer)]);
            const int64_t size = plan_.maps[map].value.shape.size();
            for (int64_t i = begin; i < end; ++i) {
                network_.read_gradient(plan_, workspace, map, i - begin, one.gradients + i * size);
            }
        }
    };
    return predictor_.for_slices(threads, count, work, watcher);
}

}  // namespace convscope
