// Filters over a window around each pixel of a plane, and connected pieces.
#pragma once

#include <cstdint>
#include <vector>

#include "picture.hpp"

namespace convscope::handwriting {

// Replaces each pixel by the rounded mean or the largest value of a window that reaches `reach` pixels in each
// direction. Outside the plane, the mean reads the nearest pixel.
Picture average_windows(const Picture& plane, int64_t reach);
Picture spread_largest(const Picture& plane, int64_t reach);

// A morphological closing (Serra 1982): the largest value in each window, then the smallest of these in each window.
Picture close_gaps(const Picture& plane, int64_t reach);

// Pieces are sets of pixels that are not 0 and touch each other, also at corners.
struct Pieces {
    std::vector<int32_t> numbers;  // (height, width): each pixel's piece from 1 on; 0 where the plane is 0
    std::vector<Box> boxes;        // of each piece
};

Pieces find_pieces(const Picture& plane);

}  // namespace convscope::handwriting
