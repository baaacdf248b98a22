// The search for live cells. A cell is a window of the input; it is live if it reads a number that is not zero.
#include <algorithm>

#include "check.hpp"
#include "numbers.hpp"

namespace convscope::test {
namespace {

struct Grid {
    int64_t rows, columns, channels, step, window_rows, window_columns;  // a cell is `step` pixels from the next
};

bool reads_nonzero(const CellSearch& search, int64_t cell) {
    const int64_t first = cell / search.cell_columns * search.down + cell % search.cell_columns * search.right;
    for (int64_t i = 0; i < search.window_rows * search.window_run; ++i) {
        const int64_t row = i / search.window_run, column = i % search.window_run;
        if (search.input[first + row * search.input_row + column] != 0) return true;
    }
    return false;
}

}  // namespace

TEST(cells_that_read_only_zeros_are_sorted_last) {
    Random random(31);
    const Grid grids[] = {{12, 12, 1, 2, 4, 4}, {1, 1, 1, 1, 1, 1},  {3, 40, 1, 2, 6, 6}, {5, 4, 3, 2, 4, 4},
                          {2, 3, 4, 3, 2, 5},   {7, 19, 2, 1, 3, 2}, {1, 33, 1, 4, 1, 9}};
    for (const Grid& g : grids) {
        const int64_t height = (g.rows - 1) * g.step + g.window_rows;
        const int64_t width = (g.columns - 1) * g.step + g.window_columns;
        const int64_t row = (width + 1) * g.channels;  // no cell reads the last pixel
        for (int64_t percent : {0, 1, 20, 100}) {      // of the numbers that are not zero
            Buffer<float> input = plain_buffer<float>(height * row);
            for (int64_t i = 0; i < height * row; ++i) {
                const bool is_zero = random.below(100) >= percent;
                const float zero = is_zero && random.below(2) == 0 ? 0.0f : -0.0f;  // of either sign
                input[static_cast<std::size_t>(i)] = is_zero ? zero : -1e-30f;
            }
            CellSearch search;
            search.input = input.data();
            search.input_row = row;
            search.cell_rows = g.rows;
            search.cell_columns = g.columns;
            search.down = g.step * row;
            search.right = g.step * g.channels;
            search.window_rows = g.window_rows;
            search.window_run = g.window_columns * g.channels;
            Buffer<float> scratch = plain_buffer<float>(g.rows * live_cells_row(row, kernels.vector_width));
            std::vector<int32_t> order(static_cast<std::size_t>(g.rows * g.columns), -1);
            search.scratch = scratch.data();
            search.order = order.data();
            const int64_t live = kernels.find_live_cells(search);

            std::vector<int64_t> wanted;
            for (int64_t cell = 0; cell < g.rows * g.columns; ++cell) {
                if (reads_nonzero(search, cell)) wanted.push_back(cell);
            }
            CHECK(live == static_cast<int64_t>(wanted.size()));
            CHECK(std::equal(wanted.begin(), wanted.end(), order.begin()));
            std::sort(order.begin(), order.end());  // each cell occurs once
            for (int64_t cell = 0; cell < g.rows * g.columns; ++cell) {
                CHECK(order[static_cast<std::size_t>(cell)] == cell);
            }
        }
    }
}

}  // namespace convscope::test
