// Max pooling of any size and stride: y[cell] = the largest x of the cell's window, the first of equals.
//
// Vectors run along the channels; a vector of a cell keeps its largest value and where it stood in registers.
#include "vector.hpp"

namespace convscope::CONVSCOPE_ISA {

void pool(const PoolingImage& p) {
    int64_t cell = 0;
    for (int64_t y = 0; y < p.out_rows; ++y) {
        for (int64_t x = 0; x < p.out_columns; ++x, ++cell) {
            const int64_t first = y * p.stride[0] * p.input_row + x * p.stride[1] * p.channels;
            for (int64_t c = 0; c < p.channels; c += width) {
                Vector largest = load(p.input + first + c);
                Mask winner = Mask{} + static_cast<int32_t>(first + c);
                for (int64_t r = 0; r < p.size[0]; ++r) {
                    for (int64_t s = 0; s < p.size[1]; ++s) {
                        const int64_t place = first + c + r * p.input_row + s * p.channels;
                        const Vector value = load(p.input + place);
                        const Mask better = value > largest;
                        largest = better ? value : largest;
                        winner = better ? Mask{} + static_cast<int32_t>(place) : winner;
                    }
                }
                for (int64_t lane = 0; lane < width; ++lane) winner[lane] += static_cast<int32_t>(lane);
                store_first(p.output + p.output_places[cell] + c, largest, p.channels - c);
                store_first(p.winners + cell * p.channels + c, winner, p.channels - c);
            }
        }
    }
}

}  // namespace convscope::CONVSCOPE_ISA
