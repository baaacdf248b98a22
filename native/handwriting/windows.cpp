#include "windows.hpp"

#include <utility>

namespace convscope::handwriting {

namespace {

// Returns the largest value of each window of 2 reach + 1 columns whose middle is a column in [first, width - first).
// With first = reach they lie within the picture, with -reach they only touch it. Values outside a row count as 0. The
// result is transposed, (windows, height), for a call along columns. `line` is a row from the first column of the first
// window on, first - reach, so column 0 is line[reach - first].
Picture find_largest_in_rows(const Picture& plane, int64_t reach, int64_t first) {
    const int64_t size = 2 * reach + 1, count = plane.width - 2 * first, length = count + size - 1;
    Picture largest(count, plane.height);
    std::vector<uint8_t> line(static_cast<std::size_t>(length)), wider(line.size());
    for (int64_t i = 0; i < plane.height; ++i) {
        std::fill(line.begin(), line.end(), 0);
        std::copy_n(plane.at(i), plane.width, line.data() + reach - first);
        // line[j] is the largest of the `done` values from j on; with that at j + step it makes a wider one. For a
        // window of 7, `done` is 1, 2, 4 and 7.
        for (int64_t done = 1; done < size;) {
            const int64_t step = std::min(done, size - done);
            const uint8_t *from = line.data(), *next = from + step;
            uint8_t* into = wider.data();
            done += step;
            for (int64_t j = 0; j <= length - done; ++j) into[j] = std::max(from[j], next[j]);
            std::swap(line, wider);
        }
        for (int64_t j = 0; j < count; ++j) largest.at(j)[i] = line.data()[j];
    }
    return largest;
}

}  // namespace

Picture average_windows(const Picture& plane, int64_t reach) {
    if (reach == 0) return plane;
    const auto area = static_cast<double>((2 * reach + 1) * (2 * reach + 1));
    const auto clamp = [](int64_t i, int64_t length) { return std::clamp<int64_t>(i, 0, length - 1); };
    std::vector<int64_t> columns(static_cast<std::size_t>(plane.width));  // each column's sum over the window's rows
    const auto add = [&](int64_t row, int64_t sign) {
        const uint8_t* from = plane.at(clamp(row, plane.height));
        for (int64_t j = 0; j < plane.width; ++j) columns.data()[j] += sign * from[j];
    };
    const auto column = [&](int64_t j) { return columns.data()[clamp(j, plane.width)]; };
    for (int64_t i = -reach; i <= reach; ++i) add(i, 1);
    Picture means(plane.height, plane.width);
    for (int64_t i = 0; i < plane.height; ++i) {
        int64_t sum = 0;
        for (int64_t j = -reach; j <= reach; ++j) sum += column(j);
        for (int64_t j = 0; j < plane.width; ++j) {
            *means.at(i, j) = round_half_up(static_cast<double>(sum) / area);
            sum += column(j + reach + 1) - column(j - reach);
        }
        add(i + reach + 1, 1);  // the window moves down: a row enters and one leaves, as columns do above
        add(i - reach, -1);
    }
    return means;
}

Picture spread_largest(const Picture& plane, int64_t reach) {
    return find_largest_in_rows(find_largest_in_rows(plane, reach, 0), reach, 0);
}

// The first windows extend beyond the picture, so that the second ones have complete windows: a shadow continues past
// the picture's edge. The smallest value of a window is 255 minus the largest of the inverted one. If all first windows
// have one largest value, the second change nothing.
Picture close_gaps(const Picture& plane, int64_t reach) {
    const Picture inflated = find_largest_in_rows(find_largest_in_rows(plane, reach, -reach), reach, -reach);
    const int largest = find_largest(inflated), smallest = 255 - find_largest(invert(inflated));
    if (smallest == largest) return change_values(plane, [&](uint8_t) { return largest; });
    return invert(find_largest_in_rows(find_largest_in_rows(invert(inflated), reach, reach), reach, reach));
}

Pieces find_pieces(const Picture& plane) {
    Pieces pieces{std::vector<int32_t>(plane.pixels.size()), {}};
    std::vector<int64_t> open;  // pixels of the piece whose neighbours are not visited yet; each pixel is added once
    const auto add = [&](int64_t i) {
        int32_t& number = pieces.numbers.data()[i];
        if (plane.pixels.data()[i] == 0 || number != 0) return;
        number = static_cast<int32_t>(pieces.boxes.size() + 1);
        open.push_back(i);
    };
    for (int64_t start = 0; start < plane.height * plane.width; ++start) {
        add(start);
        if (open.empty()) continue;
        Box box = {plane.height, 0, plane.width, 0};
        while (!open.empty()) {
            const int64_t row = open.back() / plane.width, column = open.back() % plane.width;
            open.pop_back();
            box = {std::min(box.top, row), std::max(box.bottom, row + 1), std::min(box.left, column),
                   std::max(box.right, column + 1)};
            for (int64_t i = std::max<int64_t>(0, row - 1); i <= std::min(plane.height - 1, row + 1); ++i) {
                for (int64_t j = std::max<int64_t>(0, column - 1); j <= std::min(plane.width - 1, column + 1); ++j) {
                    add(i * plane.width + j);
                }
            }
        }
        pieces.boxes.push_back(box);
    }
    return pieces;
}

}  // namespace convscope::handwriting
