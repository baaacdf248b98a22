// Finds the live cells of an image, which read a number that is not zero. The products of the other cells are zero, and
// an image with a black background has many.
//
// A bitwise or of numbers is zero only if all are. For each row of cells the rows that it reads are combined, then the numbers
// that each cell reads: with 3 x 3 pixels of one channel, any[i] = a[i] | b[i] | c[i] of rows a, b and c of the image, and
// then any[i] | any[i + 1] | any[i + 2], of which cell x has the one at x * right.
#include "vector.hpp"

namespace convscope::CONVSCOPE_ISA {

CONVSCOPE_INLINE Mask bits_at(const float* from) { return reinterpret_cast<Mask>(load(from)); }

int64_t find_live_cells(const CellSearch& p) {
    const int64_t run = (p.cell_columns - 1) * p.right + p.window_run;  // numbers of an image's row that the cells read
    const int64_t row = live_cells_row(run, width);
    // Separate passes, so that no load waits for a store of the same pass.
    for (int64_t y = 0; y < p.cell_rows; ++y) {
        const float* first = p.input + y * p.down;
        for (int64_t i = 0; i < run; i += width) {
            Mask any{};
            for (int64_t r = 0; r < p.window_rows; ++r) any |= bits_at(first + r * p.input_row + i);
            store(p.scratch + y * row + i, reinterpret_cast<Vector>(any));
        }
    }
    for (float* seen = p.scratch; seen < p.scratch + p.cell_rows * row; seen += row) {
        for (int64_t i = 0; i <= run - p.window_run; i += width) {
            Mask any{};
            for (int64_t k = 0; k < p.window_run; ++k) any |= bits_at(seen + i + k);
            store(seen + i, reinterpret_cast<Vector>(any));  // in place: the next vectors only read what is further on
        }
    }
    int64_t live = 0, dead = p.cell_rows * p.cell_columns - 1;  // next index of each kind: live ones from the front
    for (int64_t y = 0, cell = 0; y < p.cell_rows; ++y) {
        for (int64_t x = 0; x < p.cell_columns; ++x, ++cell) {
            const bool is_dead = !is_nonzero(p.scratch[y * row + x * p.right]);
            // To both ends; only one of them moves on. A branch would often be mispredicted.
            p.order[live] = p.order[dead] = static_cast<int32_t>(cell);
            live += !is_dead;
            dead -= is_dead;
        }
    }
    return live;
}

}  // namespace convscope::CONVSCOPE_ISA
