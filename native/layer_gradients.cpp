#include "layer_gradients.hpp"

#include <algorithm>

namespace convscope {

bool LayerGradients::compute(int threads, const Images& images, int64_t count, const float* dlogits,
                             const std::vector<LayerGradient>& wanted, Watcher& watcher) {
    const auto is_of_image = [](const LayerGradient& request) { return request.layer < 0; };
    const bool of_image = std::all_of(wanted.begin(), wanted.end(), is_of_image);
    std::unique_ptr<PlannedPredictor>& planned = of_image ? to_image_ : to_layers_;
    if (!planned) {
        const Purpose purpose = of_image ? Purpose::input_gradient : Purpose::gradients;
        planned = std::make_unique<PlannedPredictor>(network_, purpose, Kept::gradients);
    }
    const Plan& plan = planned->plan;
    auto work = [&](SliceArrays& arrays, int64_t begin, int64_t end, auto) {
        Workspace& workspace = arrays.workspace;
        network_.forward(plan, plan.whole(), workspace, arrays.batch, planned->predictor.from(images, begin), 0, end - begin);
        for (int64_t i = begin; i < end; ++i) {
            network_.write_logits_gradient(plan, workspace, i - begin, dlogits + i * network_.classes());
        }
        network_.backward(plan, plan.whole(), workspace, arrays.batch, 0, end - begin, nullptr);
        for (const LayerGradient& request : wanted) {
            const auto map =
                static_cast<std::size_t>(request.layer < 0 ? 0 : plan.map_of_layer[static_cast<std::size_t>(request.layer)]);
            const int64_t size = plan.maps[map].value.shape.size();
            for (int64_t i = begin; i < end; ++i) {
                network_.read_gradient(plan, workspace, map, i - begin, request.gradients + i * size);
            }
        }
    };
    return planned->predictor.for_slices(threads, count, work, watcher);
}

}  // namespace convscope
