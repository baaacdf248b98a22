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

    // The kernel in panels of filters. A kernel row, (column, channel), is a segment of B in Bfloat16Product: rows a b
    // c d lie in pairs, for filters 0 1 ... a0 b0 a1 b1 ... c0 d0 c1 d1 ..., and zeros fill the last step of 32 rows.
    const uint16_t* panels() const { return panels_.data(); }
    int64_t panel_size() const { return rows_ * bfloat16_padded(columns_ * channels_) * kernels_.panel_width; }

    // The transposed kernel in panels of channels: segments are kernel rows, their rows (column, filter). Rows and
    // columns of the kernel are from last to first, see Parameters::transposed_panel. Zeros make the filters even,
    // so a pair is of one column. 2 columns, 3 filters: column 1 filter 0 1 | 2 zeros | column 0 filter 0 1 | 2 zeros.
    const uint16_t* transposed_panels() const { return transposed_.data(); }
    int64_t transposed_panel_size() const { return rows_ * transposed_segment() * kernels_.panel_width; }
    // Makes the transposed panels, if they do not exist, from all panels of the weights, which are `panel_size` apart.
    void keep_transposed(const float* weights, int64_t panel_size);
    int64_t even_filters() const { return round_up(filters_, 2); }

    // Rounds panel `index` of the weights, which begins at `weights`. Called by Parameters::finish_panel.
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
