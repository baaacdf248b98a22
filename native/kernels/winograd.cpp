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
#include "winograd_transforms.hpp"

namespace convscope::CONVSCOPE_ISA {

void winograd_pool(const WinogradCells& p) {
    const Vector zero{};
    const int64_t step = p.cells * panel;
    for (int64_t cell = 0; cell < p.cells; ++cell) {
        for (int64_t v = 0; v < p.columns; v += width) {
            const float* from = p.products + cell * panel + v;
            Vector places[4];
            transform_square<4, 2>(
                [](const Vector(&m)[4], Vector(&t)[2]) CONVSCOPE_INLINE_LAMBDA { Transform<4, 3>::output(m, t); },
                [&](int y, int x) CONVSCOPE_INLINE_LAMBDA { return load(from + (4 * y + x) * step); },
                [&](int y, int x, Vector value) CONVSCOPE_INLINE_LAMBDA { places[2 * y + x] = value; });
            int32_t* winner = p.winners ? p.winners + cell * p.winner_row + v : nullptr;
            Vector largest = largest_of_four(places, winner, p.columns - v);
            largest += load(p.bias + v);
            if (p.relu) largest = largest > zero ? largest : zero;
            store_first(p.output + p.output_places[cell] + v, largest, p.columns - v);
        }
    }
}

}  // namespace convscope::CONVSCOPE_ISA
