#include "layer_gradients.hpp"

#include <algorithm>

namespace convscope {

bool LayerGradients::compute(int threads, const Images& images, int64_t count, const float* dlogits,
                             const std::vector<LayerGradient>& wanted, Watcher& watcher) {
    const auto is_of_image = [](const LayerGradient& request) { return request.layer < 0; };
    const bool of_image = std::all_of(wanted.begin(), wanted.end(), is_of_image);
    std::unique_ptr<OwnPlan>& way = of_image ? to_image_ : to_layers_;
    if (!way) {
        way = std::make_unique<OwnPlan>(network_, of_image ? Purpose::input_gradient : Purpose::gradients, Kept::gradients);
    }
    const Plan& plan = way->plan;
    auto work = [&](SliceArrays& arrays, int64_t begin, int64_t end, auto) {
        Workspace& workspace = arrays.workspace;
        network_.forward(plan, plan.whole(), workspace, arrays.batch, way->predictor.from(images, begin), 0, end - begin);
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
    return way->predictor.for_slices(threads, count, work, watcher);
}

}  // namespace convscope
