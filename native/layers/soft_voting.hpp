// The logits of an ensemble, whose softmax is the mean of the members' softmax. The input is the logits x[i, k] of
// member i for class k; with L[i] = log Σ_k exp(x[i, k]) and M members
//
//     y[k] = log Σ_i exp(x[i, k] - L[i]) + mean(L) - log M
//
// The last two terms change no probability; with them, the ensemble of equal members has the logits of each member.
#pragma once

#include "map_layer.hpp"

namespace convscope {

class SoftVoting final : public MapLayer {
   public:
    explicit SoftVoting(const StepContext& context)
        : MapLayer(context), classes_(output_.value.shape.channels), members_(input_.value.shape.channels / classes_) {}

    Extents extents() const override;
    int64_t forward_scratch_size() const override { return members_; }
    int64_t scratch_size() const override { return members_ + classes_ + members_ * classes_; }

   private:
    void forward_image(Workspace& workspace, int64_t image) const override;
    void backward_image(Workspace& workspace, int64_t image, float* gradient) const override;
    // Writes L[i] of each member.
    void write_sums(const float* logits, float* sums) const;
    // Returns log Σ_i exp(x[i, k] - L[i]).
    float class_logarithm(const float* logits, const float* sums, int64_t k) const;

    const int64_t classes_, members_;
};

}  // namespace convscope
