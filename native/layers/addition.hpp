// Residual addition with relu: y = act(x + other), where `other` is an earlier map.
#pragma once

#include "joining.hpp"

namespace convscope {

class Addition final : public Joining {
   public:
    Addition(const Layer& layer, int index, std::size_t other, const std::vector<Map>& maps, const Kernels& kernels,
             bool wants_input_gradient)
        : Joining(index, other, maps, kernels, wants_input_gradient), relu_(layer.relu) {}

    int64_t forward_scratch_size() const override { return scratch_size(); }

   private:
    void forward_image(Workspace& workspace, int64_t image) const override;
    void backward_image(Workspace& workspace, int64_t image, float* gradient) const override;

    const bool relu_;
};

}  // namespace convscope
