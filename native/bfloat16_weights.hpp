// A layer's weights rounded to bfloat16, as the products of both ways multiply by them. The float32 weights stay what the
// optimizer changes: each step rounds them anew.
#pragma once

#include <vector>

#include "buffer.hpp"
#include "kernels/kernels.hpp"

namespace convscope {

class Bfloat16Weights {
   public:
    // Of a kernel of so many rows and columns.
    Bfloat16Weights(int64_t rows, int64_t columns, int64_t channels, int64_t filters, const Kernels& kernels);

    // Panels of filters; a row of the kernel is a segment (column, channel).
    const uint16_t* panels() const { return panels_.data(); }
    int64_t panel_size() const { return rows_ * bfloat16_padded(columns_ * channels_) * kernels_.panel_width; }

    // Panels of channels; a row of the kernel, from the last to the first, is a segment (column from last to first, filter)
    // of an even number of filters: the last may be zeros.
    const uint16_t* transposed_panels() const { return transposed_.data(); }
    int64_t transposed_panel_size() const { return rows_ * transposed_segment() * kernels_.panel_width; }
    // Makes these, for the way back, of all panels of the weights, `panel_size` apart. What others read stays where it is.
    void keep_transposed(const float* weights, int64_t panel_size);
    int64_t even_filters() const { return round_up(filters_, 2); }

    // Takes up panel `index` of the weights, which begins at `weights`.
    void round(int64_t index, const float* weights);

   private:
    void transpose(int64_t index, const float* weights, uint16_t* transposed) const;
    int64_t transposed_segment() const { return bfloat16_padded(columns_ * even_filters()); }

    const int64_t rows_, columns_, channels_, filters_;
    const Kernels& kernels_;
    std::vector<int64_t> segment_offsets_;  // of a kernel row's rows in a panel of the weights
    Buffer<uint16_t> panels_, transposed_;
};

}  // namespace convscope
