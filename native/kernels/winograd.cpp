// Winograd's F(2 x 2, 3 x 3): the four places of a 2 x 2 cell of a 3 x 3 convolution by 16 multiplications instead of 36.
//
//     Y = A^T [ sum over channels of (G g G^T) . (B^T d B) ] A        with d the 4 x 4 pixels that the cell reads
//
// B^T = 1  0 -1  0     G = 1    0    0      A^T = 1  1  1  0
//       0  1  1  0         1/2  1/2  1/2          0  1 -1 -1
//       0 -1  1  0         1/2 -1/2  1/2
//       0  1  0 -1         0    0    1
//
// The sum over channels is, for each of the 16 positions, a matrix product of cells by filters: `multiply`. Here are the
// transforms, vectors along the channels on the way in and along the filters on the way out. Where the pixels of a cell
// are equal along rows or columns, so are its places, to the bit: the first of equals wins as in the direct way.
// Source: Lavin and Gray, 2016, "Fast Algorithms for Convolutional Neural Networks", section 4.1.
#include "vector.hpp"

namespace convscope::CONVSCOPE_ISA {

void winograd_kernel(const float* panel_rows, int64_t channels, float* to) {
    for (int64_t channel = 0; channel < channels; ++channel) {
        for (int64_t v = 0; v < panel; v += width) {
            const float* from = panel_rows + channel * panel + v;
            Vector rows[4][3];
            for (int s = 0; s < 3; ++s) {
                const Vector top = load(from + s * channels * panel), middle = load(from + (3 + s) * channels * panel);
                const Vector bottom = load(from + (6 + s) * channels * panel);
                rows[0][s] = top;
                rows[1][s] = (top + middle + bottom) * 0.5f;
                rows[2][s] = (top - middle + bottom) * 0.5f;
                rows[3][s] = bottom;
            }
            float* at = to + channel * panel + v;
            const int64_t step = channels * panel;
            for (int i = 0; i < 4; ++i) {
                const Vector left = rows[i][0], middle = rows[i][1], right = rows[i][2];
                store(at + (4 * i) * step, left);
                store(at + (4 * i + 1) * step, (left + middle + right) * 0.5f);
                store(at + (4 * i + 2) * step, (left - middle + right) * 0.5f);
                store(at + (4 * i + 3) * step, right);
            }
        }
    }
}

void winograd_input(const WinogradCells& p) {
    const int64_t step = p.cells * p.channel_row;
    for (int64_t cell = 0; cell < p.cells; ++cell) {
        const float* first = p.input + p.cell_places[cell];
        for (int64_t c = 0; c < p.channels; c += width) {
            Vector rows[4][4];
            CONVSCOPE_UNROLL
            for (int x = 0; x < 4; ++x) {
                const float* from = first + x * p.channels + c;
                const Vector d0 = load(from), d1 = load(from + p.input_row);
                const Vector d2 = load(from + 2 * p.input_row), d3 = load(from + 3 * p.input_row);
                rows[0][x] = d0 - d2;
                rows[1][x] = d1 + d2;
                rows[2][x] = d2 - d1;
                rows[3][x] = d1 - d3;
            }
            float* to = p.transformed + cell * p.channel_row + c;
            CONVSCOPE_UNROLL
            for (int i = 0; i < 4; ++i) {
                store(to + (4 * i) * step, rows[i][0] - rows[i][2]);
                store(to + (4 * i + 1) * step, rows[i][1] + rows[i][2]);
                store(to + (4 * i + 2) * step, rows[i][2] - rows[i][1]);
                store(to + (4 * i + 3) * step, rows[i][1] - rows[i][3]);
            }
        }
    }
}

void winograd_pool(const WinogradCells& p) {
    const Vector zero{};
    const int64_t step = p.cells * panel;
    for (int64_t cell = 0; cell < p.cells; ++cell) {
        for (int64_t v = 0; v < p.columns; v += width) {
            const float* from = p.products + cell * panel + v;
            Vector top[4], bottom[4];
            CONVSCOPE_UNROLL
            for (int x = 0; x < 4; ++x) {
                const Vector m0 = load(from + x * step), m1 = load(from + (4 + x) * step);
                const Vector m2 = load(from + (8 + x) * step), m3 = load(from + (12 + x) * step);
                top[x] = m0 + m1 + m2;
                bottom[x] = m1 - m2 - m3;
            }
            const Vector places[4] = {top[0] + top[1] + top[2], top[1] - top[2] - top[3],
                                      bottom[0] + bottom[1] + bottom[2], bottom[1] - bottom[2] - bottom[3]};
            int32_t* winner = p.winners ? p.winners + cell * p.winner_row + v : nullptr;
            Vector largest = largest_of_four(places, winner, p.columns - v);
            largest += load(p.bias + v);
            if (p.relu) largest = largest > zero ? largest : zero;
            store_first(p.output + p.output_places[cell] + v, largest, p.columns - v);
        }
    }
}

}  // namespace convscope::CONVSCOPE_ISA
