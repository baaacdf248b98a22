// The search for live cells, which read a number that is not zero, and products that skip the others.
#include <algorithm>

#include "check.hpp"
#include "numbers.hpp"

namespace convscope::test {
namespace {

struct Grid {
    int64_t rows, columns, channels, step, window_rows, window_columns;  // a cell is `step` pixels from the next
};

}  // namespace

TEST(cells_that_read_only_zeros_are_sorted_last) {
    Random random(31);
    const Grid grids[] = {{12, 12, 1, 2, 4, 4}, {1, 1, 1, 1, 1, 1},  {3, 40, 1, 2, 6, 6}, {5, 4, 3, 2, 4, 4},
                          {2, 3, 4, 3, 2, 5},   {7, 19, 2, 1, 3, 2}, {1, 33, 1, 4, 1, 9}};
    for (const Grid& g : grids) {
        const int64_t height = (g.rows - 1) * g.step + g.window_rows, width = (g.columns - 1) * g.step + g.window_columns;
        const int64_t row = (width + 1) * g.channels;  // a frame, whose last column no cell reads
        for (int64_t share : {0, 1, 20, 100}) {  // of the numbers that are not zero, in a hundred
            Buffer<float> input = plain_buffer<float>(height * row);
            for (int64_t i = 0; i < height * row; ++i) {
                const bool kept = random.below(100) < share;
                input[static_cast<std::size_t>(i)] = kept ? -1e-30f : random.below(2) == 0 ? 0.0f : -0.0f;
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
                const int64_t first = cell / g.columns * search.down + cell % g.columns * search.right;
                bool any = false;
                for (int64_t i = 0; i < g.window_rows * search.window_run; ++i) {
                    const int64_t at = first + i / search.window_run * row + i % search.window_run;
                    any = any || input[static_cast<std::size_t>(at)] != 0;
                }
                if (any) wanted.push_back(cell);
            }
            CHECK(live == static_cast<int64_t>(wanted.size()));
            CHECK(std::equal(wanted.begin(), wanted.end(), order.begin()));
            std::sort(order.begin(), order.end());
            for (int64_t cell = 0; cell < g.rows * g.columns; ++cell) CHECK(order[static_cast<std::size_t>(cell)] == cell);
        }
    }
}

}  // namespace convscope::test
