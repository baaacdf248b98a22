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

// What inference knows of a layer's inputs. Their running average follows that of the weights and takes their place as
// `Parameters` says: else a network of averaged weights would normalise by what the last weights gave.
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
