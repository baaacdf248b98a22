// A dense layer whose products multiply bfloat16 numbers, but for the gradient by its weights: that one's operands lie the
// wrong way round in memory, and turning them takes as long as the product in float32.
#pragma once

#include "dense.hpp"

namespace convscope {

class Bfloat16Dense final : public Dense {
   public:
    Bfloat16Dense(const Layer& layer, int index, std::size_t vector, const std::vector<Map>& maps, Parameters& parameters,
                  const Kernels& kernels, bool wants_input_gradient);

    std::unique_ptr<ChannelSums> channel_sums() const override { return nullptr; }
    int64_t bfloat16_scratch_size() const override;
    void forward(Workspace& workspace, int64_t begin, int64_t end) const override;
    void backward(Workspace& workspace, int64_t begin, int64_t end, float* gradient) const override;

   private:
    // Rounds images [begin, end) of `from`, `length` numbers each, and multiplies them by what `product` says.
    void multiply(Workspace& workspace, const MapImages& from, int64_t length, int64_t begin, int64_t end,
                  Bfloat16Product product) const;
};

}  // namespace convscope
