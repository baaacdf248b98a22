// Concatenation: the channels of `other`, an earlier map, and behind them those of the map before. A branch is one without
// these: `other` alone.
#pragma once

#include "joining.hpp"

namespace convscope {

class Concatenation final : public Joining {
   public:
    Concatenation(int index, std::size_t other, const std::vector<Map>& maps, const Kernels& kernels,
                  bool wants_input_gradient)
        : Joining(index, other, maps, kernels, wants_input_gradient) {}

    // The row of a gradient by either map, or of zeros by one that a branch does not read.
    int64_t scratch_size() const override {
        return std::max(Joining::scratch_size(), input_.value.shape.width * input_.value.shape.channels);
    }

   private:
    void forward_image(Workspace& workspace, int64_t image) const override;
    void backward_image(Workspace& workspace, int64_t image, float* gradient) const override;

    // How many channels the output has of the map before it.
    int64_t own_channels() const { return output_.value.shape.channels - earlier_.value.shape.channels; }
};

}  // namespace convscope
