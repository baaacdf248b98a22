// Gradients by what layers put out and by the image, of any sum of logits, image by image and with the weights fixed.
#pragma once

#include <memory>

#include "prediction.hpp"

namespace convscope {

struct LayerGradient {
    int64_t layer = -1;          // of the architecture; -1 is the normalised image
    float* gradients = nullptr;  // (count, the layer's output)
};

// Keeps what it computes in from call to call. Where the gradient by a layer is asked for, layers are not fused and maps not
// cut; on the way to the image alone they are, which is about twice as fast.
class LayerGradients {
   public:
    explicit LayerGradients(const Network& network) : network_(network) {}

    // Writes for each of `count` images the gradient of the sum over k of dlogits[i, k] logits[i, k] by each layer's output,
    // which is what comes out of its activation; false if the watcher stopped it.
    bool compute(int threads, const Images& images, int64_t count, const float* dlogits,
                 const std::vector<LayerGradient>& wanted, Watcher& watcher);

   private:
    const Network& network_;
    std::unique_ptr<PlannedPredictor> to_layers_, to_image_;  // made when first needed
};

}  // namespace convscope
