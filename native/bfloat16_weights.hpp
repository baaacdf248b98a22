// A layer's weights rounded to bfloat16, in the layouts of the forward and backward products. The optimizer changes the
// float32 weights, and each step rounds them again.
#pragma once

#include <vector>

#include "buffer.hpp"
#include "kernels/kernels.hpp"

namespace convscope {

class Bfloat16Weights {
   public:
    // A kernel of `rows` x `columns`.
    Bfloat16Weights(int64_t rows, int64_t columns, int64_t channels, int64_t filters, const Kernels& kernels);

    // The kernel in panels of filters. A kernel row, (column, channel), is a segment of B in Bfloat16Product.
    const uint16_t* panels() const { return panels_.data(); }
    int64_t panel_size() const { return rows_ * bfloat16_padded(columns_ * channels_) * kernels_.panel_width; }

    // The transposed kernel in panels of channels. Its segments are the kernel rows from last to first, and the rows of
    // a segment are (column from last to first, filter). If the number of filters is odd, a filter of zeros is added.
    // With 2 columns and 3 filters: column 1 filter 0, 1, 2, zeros, column 0 filter 0, 1, 2, zeros.
    const uint16_t* transposed_panels() const { return transposed_.data(); }
    int64_t transposed_panel_size() const { return rows_ * transposed_segment() * kernels_.panel_width; }
    // Makes the transposed panels, if they do not exist, from all panels of the weights, which are `panel_size` apart.
    void keep_transposed(const float* weights, int64_t panel_size);
    int64_t even_filters() const { return round_up(filters_, 2); }

    // Rounds panel `index` of the weights, which begins at `weights`.
    void round(int64_t index, const float* weights);

   private:
    void transpose(int64_t index, const float* weights, uint16_t* transposed) const;
    int64_t transposed_segment() const { return bfloat16_padded(columns_ * even_filters()); }

    const int64_t rows_, columns_, channels_, filters_;
    const Kernels& kernels_;
    std::vector<int64_t> segment_offsets_;  // offset of each (column, channel) of a kernel row in a panel
    Buffer<uint16_t> panels_, transposed_;
};

}  // namespace convscope
