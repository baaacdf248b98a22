// The statistics of a batch normalisation's input, by channel.
#pragma once

#include "buffer.hpp"

namespace convscope {

// Filled by BatchNormalization: each thread writes its slices' parts (`measure`), then one writes the rest, by `merge`
// or `use_moving`. by_value and constant are 0 until `merge_back`, and stay 0 for moving statistics.
struct Statistics {
    bool of_batch = false;  // whether they are the batch's, as in training; else the moving statistics
    Buffer<float> means, inverses;                  // inverse = 1 / sqrt(variance + epsilon)
    Buffer<float> scales, shifts;                   // forward: y = scale x + shift
    Buffer<float> by_gradient, by_value, constant;  // backward: dx = by_gradient dy + by_value x + constant
    Buffer<double> variances;
    Buffer<float> parts;  // (slices, 2, row): each slice's means and sums of squared distances from them
    int64_t row = 0;      // channels rounded up to a panel
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
