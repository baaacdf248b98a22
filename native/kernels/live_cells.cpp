// Finds the live cells of an image, which read a number that is not zero. The products of the other cells are zero, and
// an image with a black background has many.
//
// For each row of cells, the rows that it reads are combined by a bitwise or, then the columns that each cell reads.
#include "vector.hpp"

namespace convscope::CONVSCOPE_ISA {
namespace {

CONVSCOPE_INLINE Mask bits_at(const float* from) { return reinterpret_cast<Mask>(load(from)); }

}  // namespace

int64_t find_live_cells(const CellSearch& p) {
    const int64_t run = (p.cell_columns - 1) * p.right + p.window_run, row = live_cells_row(run, width);
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
            store(seen + i, reinterpret_cast<Vector>(any));
        }
    }
    int64_t live = 0, dead = p.cell_rows * p.cell_columns - 1;  // next index of each kind
    for (int64_t y = 0, cell = 0; y < p.cell_rows; ++y) {
        for (int64_t x = 0; x < p.cell_columns; ++x, ++cell) {
            const bool is_dead = !is_nonzero(p.scratch[y * row + x * p.right]);
            p.order[live] = p.order[dead] = static_cast<int32_t>(cell);  // a branch would often be mispredicted
            live += !is_dead;
            dead -= is_dead;
        }
    }
    return live;
}

}  // namespace convscope::CONVSCOPE_ISA
