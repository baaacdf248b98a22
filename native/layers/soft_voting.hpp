// The logits of an ensemble from those of its members, which lie one behind the other: their softmax is the mean of the
// members' softmax. To these logits the mean of log Σ_k exp(logit) over the members is added, which changes no probability;
// with it equal members give their own logits.
#pragma once

#include "map_layer.hpp"

namespace convscope {

class SoftVoting final : public MapLayer {
   public:
    explicit SoftVoting(const StepContext& context)
        : MapLayer(context),
          classes_(output_.value.shape.channels),
          members_(input_.value.shape.channels / classes_) {}

    Extents extents() const override;
    int64_t forward_scratch_size() const override { return members_; }
    int64_t scratch_size() const override { return members_ + classes_ + members_ * classes_; }

   private:
    void forward_image(Workspace& workspace, int64_t image) const override;
    void backward_image(Workspace& workspace, int64_t image, float* gradient) const override;
    // Writes log Σ_k exp(logit) of each member.
    void write_sums(const float* logits, float* sums) const;
    // Returns log Σ exp over the members of the logarithm of what each gives class k.
    float class_logarithm(const float* logits, const float* sums, int64_t k) const;

    const int64_t classes_, members_;
};

}  // namespace convscope
