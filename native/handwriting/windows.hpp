// Planes by the values in a window about each pixel, and connected pixels.
#pragma once

#include <cstdint>
#include <vector>

#include "picture.hpp"

namespace convscope::handwriting {

// Windows reach `reach` to either side; beyond the edge, its values continue.
Picture average_windows(const Picture& plane, int64_t reach);  // rounded means
Picture spread_largest(const Picture& plane, int64_t reach);

// A morphological closing (Serra 1982): the largest value in each window, and of these the smallest in each window.
Picture close_gaps(const Picture& plane, int64_t reach);

// A piece is pixels that are not 0 and touch, over corners too.
struct Pieces {
    std::vector<int32_t> numbers;  // (height, width): each pixel's piece from 1 on; 0 where the plane is 0
    std::vector<Box> boxes;        // of each piece
};

Pieces find_pieces(const Picture& plane);

}  // namespace convscope::handwriting
