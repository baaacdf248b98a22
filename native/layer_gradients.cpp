#include "layer_gradients.hpp"

namespace convscope {

bool layer_gradients(const Network& network, int threads, const Images& images, int64_t count, const float* dlogits,
                     const std::vector<LayerGradient>& wanted, Watcher& watcher) {
    const Plan plan = network.make_plan(Purpose::gradients);
    Predictor predictor(network, plan, Kept::gradients);
    auto work = [&](SliceArrays& arrays, int64_t begin, int64_t end, auto) {
        Workspace& workspace = arrays.workspace;
        network.forward(plan, plan.whole(), workspace, arrays.batch, predictor.from(images, begin), 0, end - begin);
        for (int64_t i = begin; i < end; ++i) {
            network.write_logits_gradient(plan, workspace, i - begin, dlogits + i * network.classes());
        }
        network.backward(plan, plan.whole(), workspace, arrays.batch, 0, end - begin, nullptr);
        for (const LayerGradient& one : wanted) {
            const auto map = static_cast<std::size_t>(
                one.layer < 0 ? 0 : plan.map_of_layer[static_cast<std::size_t>(one.layer)]);
            const int64_t size = plan.maps[map].value.shape.size();
            for (int64_t i = begin; i < end; ++i) {
                network.read_gradient(plan, workspace, map, i - begin, one.gradients + i * size);
            }
        }
    };
    return predictor.for_slices(threads, count, work, watcher);
}

}  // namespace convscope
