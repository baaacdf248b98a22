// The gradient of a weighted sum of an image's logits with respect to layers' outputs or the image.
#pragma once

#include <memory>

#include "prediction.hpp"

namespace convscope {

struct LayerGradient {
    int64_t layer = -1;          // index in the architecture; -1 is the normalised image
    float* gradients = nullptr;  // where to write them, (count, size of the layer's output)
};

// Keeps its buffers from call to call. If only the gradient with respect to the image is wanted, layers are fused as in
// training and maps are cut to the rows and columns that the next layer reads, which is about twice as fast. Otherwise
// the layers' outputs must exist in full.
class LayerGradients {
   public:
    explicit LayerGradients(const Network& network) : network_(network) {}

    // Writes, for each image i of `count` and each wanted layer, the gradient of sum_k dlogits[i, k] logits[i, k] with
    // respect to the layer's output after its activation. Returns false if the watcher stopped it.
    bool compute(int threads, const Images& images, int64_t count, const float* dlogits,
                 const std::vector<LayerGradient>& wanted, Watcher& watcher);

   private:
    const Network& network_;
    std::unique_ptr<PlannedPredictor> to_layers_, to_image_;  // each made when first needed
};

}  // namespace convscope
