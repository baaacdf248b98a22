// The statistics of a batch normalisation's input, by channel: of a batch in training, moving ones in prediction.
#pragma once

#include "buffer.hpp"

namespace convscope {

// BatchNormalization fills it. For a batch, each slice of images gets its part by `measure`; when all have, one thread
// computes means and forward factors by `merge`, and later the backward factors by_value and constant, which are 0
// until then, by `merge_back`. For a prediction, `use_moving` does all, and by_value and constant stay 0.
struct Statistics {
    bool of_batch = false;  // whether they are the batch's, as in training; else the moving statistics
    Buffer<float> means, inverses;                  // inverse = 1 / sqrt(variance + epsilon)
    // Factors, repeated up to whole registers:
    Buffer<float> scales, shifts;                   // forward: y = scale x + shift
    Buffer<float> by_gradient, by_value, constant;  // backward: dx = by_gradient dy + by_value x + constant
    Buffer<double> variances;
    // Of each slice (8 images), `row` means and `row` sums of squared distances from them:
    //     means of slice 0 | squares of slice 0 | means of slice 1 | ...
    Buffer<float> parts;
    int64_t row = 0;  // channels rounded up to a panel of weights (32 with AVX-512), whole registers
    float* part(int64_t slice) { return parts.data() + slice * 2 * row; }
};

// The moving statistics, by which predictions normalise. If training averages the weights, these are averaged too and
// swapped at the same time (see Parameters::averaged): averaged weights need averaged statistics.
struct MovingStatistics {
    Buffer<float> means, variances;
    Buffer<float> standby_means, standby_variances;

    bool averaged() const { return !standby_means.empty(); }
    void start_averaging() {
        if (averaged()) return;
        standby_means = means;
        standby_variances = variances;
    }
    void exchange_average() {
        means.swap(standby_means);
        variances.swap(standby_variances);
    }
    void drop_average() { standby_means = standby_variances = {}; }
};

}  // namespace convscope
