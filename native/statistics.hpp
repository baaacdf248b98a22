// What a batch normalisation knows of its input's channels.
#pragma once

#include "buffer.hpp"

namespace convscope {

// By channel; the same for all threads while they work.
struct Statistics {
    bool of_batch = false;  // or moving
    Buffer<float> means, inverses;              // 1 / sqrt(variance + epsilon)
    Buffer<float> scales, shifts;               // the way there in one multiply-add
    Buffer<float> by_gradient, by_value, constant;  // the way back
    Buffer<double> variances;
    Buffer<float> parts;  // (slices, 2, row): a slice's means and squared distances from them
    int64_t row = 0;      // channels rounded up to a register
    float* part(int64_t slice) { return parts.data() + slice * 2 * row; }
};

// What inference knows of a layer's inputs.
struct MovingStatistics {
    Buffer<float> means, variances;
};

}  // namespace convscope
