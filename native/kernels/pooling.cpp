// Pooling of any size, stride and padding. Only the part of a window within the map counts. Vectors run along the channels.
#include "vector.hpp"

namespace convscope::CONVSCOPE_ISA {

// Calls visit(cell, offset of its window, rows of the window, columns of the window) for each cell.
template <class Visit>
CONVSCOPE_INLINE void for_windows(const PoolingImage& p, Visit visit) {
    int64_t cell = 0;
    for (int64_t y = 0; y < p.out_rows; ++y) {
        const int64_t top = y * p.stride[0] - p.padding[0], first_row = top > 0 ? top : 0;
        const int64_t bottom = top + p.size[0], rows = (bottom < p.in_rows ? bottom : p.in_rows) - first_row;
        for (int64_t x = 0; x < p.out_columns; ++x, ++cell) {
            const int64_t left = x * p.stride[1] - p.padding[1], first_column = left > 0 ? left : 0;
            const int64_t right = left + p.size[1];
            const int64_t columns = (right < p.in_columns ? right : p.in_columns) - first_column;
            visit(cell, (first_row * p.in_columns + first_column) * p.channels, rows, columns);
        }
    }
}

// y[cell] = the largest x of the cell's window, the first of equals.
void pool(const PoolingImage& p) {
    const int64_t input_row = p.in_columns * p.channels;
    for_windows(p, [&](int64_t cell, int64_t first, int64_t rows, int64_t columns) {
        for (int64_t c = 0; c < p.channels; c += width) {
            Vector largest = load(p.input + first + c);
            Mask winner = Mask{} + static_cast<int32_t>(first + c);  // offset of lane 0; each lane adds its number at the end
            for (int64_t r = 0; r < rows; ++r) {
                for (int64_t s = 0; s < columns; ++s) {
                    const int64_t offset = first + c + r * input_row + s * p.channels;
                    const Vector value = load(p.input + offset);
                    const Mask better = value > largest;
                    largest = better ? value : largest;
                    winner = better ? Mask{} + static_cast<int32_t>(offset) : winner;
                }
            }
            store_first(p.output + p.output_offsets[cell] + c, largest, p.channels - c);
            if (p.winners == nullptr) continue;
            for (int64_t lane = 0; lane < width; ++lane) winner[lane] += static_cast<int32_t>(lane);
            store_first(p.winners + cell * p.channels + c, winner, p.channels - c);
        }
    });
}

// dx[winner of the cell] += dy[cell]
void pool_backward(const PoolingImage& p) {
    const int64_t input_row = p.in_columns * p.channels;
    Mask lanes{};
    for (int64_t lane = 0; lane < width; ++lane) lanes[lane] = static_cast<int32_t>(lane);
    for_windows(p, [&](int64_t cell, int64_t first, int64_t rows, int64_t columns) {
        for (int64_t c = 0; c < p.channels; c += width) {
            const Vector gradient = load(p.gradient + cell * p.channels + c);
            const Mask winner = load(p.winners + cell * p.channels + c) - lanes;
            for (int64_t r = 0; r < rows; ++r) {
                for (int64_t s = 0; s < columns; ++s) {
                    const int64_t offset = first + c + r * input_row + s * p.channels;
                    const Mask won = winner == Mask{} + static_cast<int32_t>(offset);
                    add_first(p.input_gradient + offset, won ? gradient : Vector{}, p.channels - c);
                }
            }
        }
    });
}

// y[cell] = the mean of the cell's window.
void average(const PoolingImage& p) {
    const int64_t input_row = p.in_columns * p.channels;
    for_windows(p, [&](int64_t cell, int64_t first, int64_t rows, int64_t columns) {
        const float part = 1 / static_cast<float>(rows * columns);
        for (int64_t c = 0; c < p.channels; c += width) {
            Vector sum{};
            for (int64_t r = 0; r < rows; ++r) {
                const float* row = p.input + first + c + r * input_row;
                for (int64_t s = 0; s < columns; ++s) sum += load(row + s * p.channels);
            }
            store_first(p.output + p.output_offsets[cell] + c, sum * part, p.channels - c);
        }
    });
}

// dx[pixel] += dy[cell] / (pixels of the cell's window), for each pixel of the window.
void average_backward(const PoolingImage& p) {
    const int64_t input_row = p.in_columns * p.channels;
    for_windows(p, [&](int64_t cell, int64_t first, int64_t rows, int64_t columns) {
        const float part = 1 / static_cast<float>(rows * columns);
        for (int64_t c = 0; c < p.channels; c += width) {
            const Vector share = load(p.gradient + cell * p.channels + c) * part;
            for (int64_t r = 0; r < rows; ++r) {
                float* row = p.input_gradient + first + c + r * input_row;
                for (int64_t s = 0; s < columns; ++s) add_first(row + s * p.channels, share, p.channels - c);
            }
        }
    });
}

}  // namespace convscope::CONVSCOPE_ISA
