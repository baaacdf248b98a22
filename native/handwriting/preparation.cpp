#include "preparation.hpp"

#include <cmath>
#include <cstdlib>
#include <utility>

#include "windows.hpp"

namespace convscope::handwriting {

namespace {

// Sums the cubed differences of the pixels from the mean around them. The few that differ much decide, and they are ink,
// so the sum is negative for dark ink: -90 and nine times 10 sum to 0, but their cubes to -729 000 + 9 000.
int64_t sum_cubes(const Picture& picture) {
    const Picture means = change_channels(picture, [](const Picture& p) { return average_windows(p, p.shorter() / 4); });
    int64_t cubes = 0;
    for (std::size_t i = 0; i < picture.pixels.size(); ++i) {
        const int64_t difference = picture.pixels[i] - means.pixels[i];
        cubes += difference * difference * difference;
    }
    return cubes;
}

// Whether the ground (the paper) is lighter than the ink. If nine tenths of the border are near its median (a quarter of
// the range), the median is ground, and light if it is nearer to the lightest value. Otherwise, as under a shadow, ask
// the ink.
bool has_light_ground(const Picture& picture) {
    std::vector<uint8_t> border;
    for (int64_t c = 0; c < picture.channels; ++c) {
        const std::vector<uint8_t> values = take_border(take_channel(picture, c));
        border.insert(border.end(), values.begin(), values.end());
    }
    const int darkest = 255 - find_largest(invert(picture)), lightest = find_largest(picture), median = find_median(border);
    const auto is_near = [&](int value) { return 4 * std::abs(value - median) <= lightest - darkest; };
    if (10 * std::count_if(border.begin(), border.end(), is_near) < 9 * static_cast<int64_t>(border.size())) {
        if (const int64_t cubes = sum_cubes(picture); cubes != 0) return cubes < 0;
    }
    const int from_middle = 2 * median - (darkest + lightest);
    return from_middle > 0 || (from_middle == 0 && median >= 128);
}

// In the following steps a value is the amount of ink: pictures of dark ink are inverted before.

// Ink is the missing share of the ground's lightness. The ground is a morphological closing of the lightness after
// means over a hundredth of the picture have removed the noise. Each channel has its own: light may be coloured.
Picture remove_uneven_light(const Picture& plane) {
    constexpr int dimmest = 64;  // a darker ground counts as this level, so that its noise is not amplified
    const Picture lightness = invert(plane);
    const Picture smooth = average_windows(lightness, plane.shorter() / 100);
    Picture ink = close_gaps(smooth, std::max<int64_t>(1, plane.shorter() / 3));  // windows wider than strokes
    for (std::size_t i = 0; i < ink.pixels.size(); ++i) {
        const int ground = ink.pixels[i], missing = std::max(ground - lightness.pixels[i], 0);
        ink.pixels[i] = round_half_up(missing * 255.0 / std::max(ground, dimmest));
    }
    return ink;
}

// Subtracts the level of the paper: the median of the border plus three median deviations, which are two standard
// deviations of Gaussian noise, or plus half of the range from the median to the largest value if that is less, since a
// border with ink on it must not remove all ink.
Picture subtract_paper(const Picture& plane) {
    std::vector<uint8_t> border = take_border(plane);
    const int ground = find_median(border);
    for (uint8_t& value : border) value = static_cast<uint8_t>(std::abs(value - ground));
    const int paper = ground + std::min(3 * find_median(border), (find_largest(plane) - ground) / 2);
    return change_values(plane, [&](int value) { return std::max(value - paper, 0); });
}

// Removes weak ink (ruled lines, grain) unless it is near strong ink: at most a 28th of the longer side away, a pixel
// of an MNIST image. Canny 1986 asks for connection instead, but ruled lines are connected with ink.
Picture remove_paper(const Picture& picture) {
    constexpr double strong_share = 0.8;  // times the middle between weak and strong; with 0.6 lines of squared paper stay
    const Picture clean = change_channels(picture, subtract_paper), ink = join_channels(clean);
    const double level = strong_share * find_middle_of_classes(ink.pixels.data(), ink.height * ink.width);
    const Picture strong = change_values(ink, [&](int value) { return value > level ? 255 : 0; });
    const Picture near = spread_largest(strong, std::max<int64_t>(1, picture.longer() / 28));
    return change_channels(clean, [&](Picture plane) {
        for (std::size_t i = 0; i < plane.pixels.size(); ++i) plane.pixels[i] &= near.pixels[i];
        return plane;
    });
}

// Removes connected pieces with less than a 20th of the ink of the largest piece.
Picture remove_specks(const Picture& picture) {
    const Pieces pieces = find_pieces(join_channels(picture));
    std::vector<int64_t> sums(pieces.boxes.size() + 1);  // the ground's ink, 0, and each piece's
    const auto sum_of = [&](std::size_t i) -> int64_t& { return sums[static_cast<std::size_t>(pieces.numbers[i])]; };
    for (int64_t c = 0; c < picture.channels; ++c) {
        const Picture plane = take_channel(picture, c);
        for (std::size_t i = 0; i < plane.pixels.size(); ++i) sum_of(i) += plane.pixels[i];
    }
    const int64_t largest = *std::max_element(sums.begin(), sums.end());
    return change_channels(picture, [&](Picture plane) {
        for (std::size_t i = 0; i < plane.pixels.size(); ++i) {
            if (20 * sum_of(i) < largest) plane.pixels[i] = 0;
        }
        return plane;
    });
}

// Returns how many columns the ink moves to the right per row downwards, from -1 to 1: the slope of the regression line
// of columns on rows. LeCun and others 1998, section III.A, use the principal axis, nearly the same.
double find_slope(const Moments& sums) {
    const auto mean = [&](int64_t sum) { return static_cast<double>(sum) / static_cast<double>(sums.total); };
    const double row = mean(sums.rows), variance = mean(sums.squares) - row * row;
    const double covariance = mean(sums.products) - mean(sums.columns) * row;
    return variance > 0 ? std::min(1.0, std::max(-1.0, covariance / variance)) : 0;
}

// Shifts each row so that the ink no longer leans, in steps of 1/256 pixel. Columns of ground on both sides make room.
// `sums` are of ink. A shift by -300 is an offset of -2 pixels and a share of 212: each pixel becomes 44/256 of the
// pixel 2 to its right and 212/256 of that 1 to its right.
Picture set_upright(const Picture& picture, const Moments& sums) {
    constexpr int64_t parts = 256;
    const double slope = find_slope(sums), middle = static_cast<double>(sums.rows) / static_cast<double>(sums.total);
    std::vector<int64_t> shifts;
    int64_t furthest = 0;
    for (int64_t i = 0; i < picture.height; ++i) {
        shifts.push_back(static_cast<int64_t>(std::floor(-slope * (static_cast<double>(i) - middle) * parts + 0.5)));
        furthest = std::max(furthest, std::abs(shifts.back()));
    }
    const int64_t room = (furthest + parts - 1) / parts;
    return change_channels(picture, [&](const Picture& plane) {
        const int ground = find_median(take_border(plane));
        Picture upright(plane.height, plane.width + 2 * room);
        for (int64_t i = 0; i < plane.height; ++i) {
            const int64_t share = shifts.data()[i] & (parts - 1), offset = room + (shifts.data()[i] - share) / parts;
            const auto value = [&](int64_t j) { return 0 <= j && j < plane.width ? *plane.at(i, j) : ground; };
            for (int64_t j = 0; j < upright.width; ++j) {
                const int64_t sum = (parts - share) * value(j - offset) + share * value(j - offset - 1);
                *upright.at(i, j) = static_cast<uint8_t>((sum + parts / 2) / parts);
            }
        }
        return upright;
    });
}

// Returns the size of the picture in the image: its longer side is `target`, or if that does not fit or the step
// `scale` is not taken, it is as large as fits. A larger target counts as one pixel too large, so nothing overflows.
Size find_scale(Size size, const Request& request) {
    const Size largest = fit(size, {request.height, request.width});
    if ((request.steps >> scale & 1) == 0) return largest;
    const int64_t target = std::min(request.target, std::max(request.height, request.width) + 1);
    const Size smaller = fit(size, {target, target});
    return smaller.height <= request.height && smaller.width <= request.width ? smaller : largest;
}

Picture stretch_contrast(const Picture& picture) {
    const int largest = std::max(find_largest(picture), 1);
    return change_values(picture, [&](int value) { return round_half_up(value * 255.0 / largest); });
}

// Makes an image of ground with the picture's first pixel at `corner`. `lost` becomes the share of ink outside.
Picture paste(const Picture& picture, Size corner, Size size, const std::vector<int>& ground, double& lost) {
    Picture image(size.height, size.width, picture.channels);
    const int64_t total = sum_moments(picture).total;
    int64_t inside = 0;
    for (int64_t i = 0; i < size.height; ++i) {
        for (int64_t j = 0; j < size.width; ++j) {
            const int64_t row = i - corner.height, column = j - corner.width;
            const bool is_inside = 0 <= row && row < picture.height && 0 <= column && column < picture.width;
            for (int64_t c = 0; c < picture.channels; ++c) {
                image.at(i, j)[c] = is_inside ? picture.at(row, column)[c] : static_cast<uint8_t>(ground.data()[c]);
                if (is_inside) inside += picture.at(row, column)[c];
            }
        }
    }
    lost = total > 0 ? static_cast<double>(total - inside) / static_cast<double>(total) : 0;
    return image;
}

Picture add_opaque_alpha(const Picture& picture) {
    Picture image(picture.height, picture.width, picture.channels + 1);
    for (int64_t i = 0; i < image.height * image.width; ++i) {
        *std::copy_n(picture.at(0, i), picture.channels, image.at(0, i)) = 255;
    }
    return image;
}

// Turns lightness into ink, or back. Steps that average pixels do it as lightness, whose halves are rounded up, and
// turn the result into ink again.
Picture to_ink(const Picture& p, const Request& request) { return request.is_ink_light ? p : invert(p); }

// Applies the first four steps, as far as `steps` has them, to the last picture: they leave only ink on an even ground.
void clean(Prepared& prepared, bool is_inverted, uint32_t steps) {
    for (const Step step : {polarity, light, ink, specks}) {
        const Picture& picture = prepared.pictures.back();
        if (steps >> step & 1) {
            prepared.pictures.push_back(step == polarity ? (is_inverted ? invert(picture) : picture)
                                        : step == light  ? change_channels(picture, remove_uneven_light)
                                        : step == ink    ? remove_paper(picture)
                                                         : remove_specks(picture));
        }
        prepared.stages[step + 1] = static_cast<int32_t>(prepared.pictures.size()) - 1;
    }
}

// Whether two pieces, each at least half as long as the longest, are a fifth of its length apart in rows or columns.
// Rows 3 to 9 and 14 to 20 end first at 10 and start last at 14, so they are 4 apart.
bool are_several(const std::vector<Box>& boxes) {
    const auto length = [](const Box& box) { return std::max(box.bottom - box.top, box.right - box.left); };
    int64_t longest = 0;
    for (const Box& box : boxes) longest = std::max(longest, length(box));
    Box gap = {INT64_MAX, 0, INT64_MAX, 0};  // the first end and the last start of the pieces, by row and by column
    for (const Box& box : boxes) {
        if (2 * length(box) < longest) continue;
        gap = {std::min(gap.top, box.bottom), std::max(gap.bottom, box.top), std::min(gap.left, box.right),
               std::max(gap.right, box.left)};
    }
    return 5 * std::max(gap.bottom - gap.top, gap.right - gap.left) >= longest;
}

// Returns hints, as bits, at what may be wrong with a picture. `clean` is its ink after all four cleaning steps.
uint32_t find_hints_in_ink(const Picture& clean, bool is_inverted, double threshold) {
    const Picture ink = join_channels(clean);
    if (find_largest(ink) < faintest) return 1u << empty;
    const Box box = find_box(ink, threshold);
    const double level = threshold * find_largest(ink), height = static_cast<double>(clean.height);
    const double down = static_cast<double>(std::abs(box.top + box.bottom - clean.height)) / height;
    const double right = static_cast<double>(std::abs(box.left + box.right - clean.width)) / static_cast<double>(clean.width);
    const Pieces pieces = find_pieces(change_values(ink, [&](int value) { return value > level; }));
    uint32_t hints = is_inverted ? 1u << inverted : 0;
    if (5 * std::max(box.bottom - box.top, box.right - box.left) < clean.shorter()) hints |= 1u << tiny;
    if (std::max(down, right) / 2 > 0.2) hints |= 1u << off_centre;  // both are twice the distance of the middles
    if (are_several(pieces.boxes)) hints |= 1u << several;
    return hints;
}

// Returns the hints at `picture`, the ink before all steps. `cleaned` is it after those cleaning steps that the request
// takes; if it leaves out some, the hints come from a copy that takes all.
uint32_t find_hints(const Picture& picture, const Picture& cleaned, bool is_inverted, const Request& request) {
    constexpr uint32_t cleaning = 1u << polarity | 1u << light | 1u << ink | 1u << specks;
    if ((request.steps & cleaning) == cleaning) return find_hints_in_ink(cleaned, is_inverted, request.threshold);
    Prepared whole;
    whole.pictures.push_back(picture);
    clean(whole, is_inverted, cleaning);
    return find_hints_in_ink(whole.pictures.back(), is_inverted, request.threshold);
}

// Returns the ground of each channel as ink: the median of the border by lightness.
std::vector<int> find_ground(const Picture& picture, const Request& request) {
    std::vector<int> ground;
    for (int64_t c = 0; c < picture.channels; ++c) {
        const int median = find_median(take_border(take_channel(to_ink(picture, request), c)));
        ground.push_back(request.is_ink_light ? median : 255 - median);
    }
    return ground;
}

}  // namespace

// Otsu 1979, equation 18, without its constant factor: (m_w·n_s - m_s·n_w)² / (n_w·n_s) with the numbers n and the sums
// m of weak and strong values; the lowest threshold that makes it largest. Values of 0 are left out, since they are
// most of a picture and would decide if there is little ink.
double find_middle_of_classes(const uint8_t* values, int64_t count) {
    std::array<double, 256> counts = {};
    for (int64_t i = 0; i < count; ++i) ++counts[values[i]];
    double strong = 0, strong_sum = 0, weak = 0, weak_sum = 0, best = 0, middle = 0;
    for (std::size_t value = 1; value < 256; ++value) {
        strong += counts[value];
        strong_sum += counts[value] * static_cast<double>(value);
    }
    for (std::size_t value = 1; value < 256; ++value) {
        const double moved = counts[value] * static_cast<double>(value);
        weak += counts[value];
        strong -= counts[value];
        weak_sum += moved;
        strong_sum -= moved;
        if (weak == 0 || strong == 0) continue;
        const double difference = weak_sum * strong - strong_sum * weak;
        const double variance = difference * difference / (weak * strong);  // between the classes
        if (variance <= best) continue;
        best = variance;
        middle = (weak_sum / weak + strong_sum / strong) / 2;
    }
    return middle;
}

Prepared prepare(const View& picture, const Request& request) {
    const Size size = {request.height, request.width};
    Prepared prepared;
    std::vector<Picture>& pictures = prepared.pictures;
    const int64_t channels = request.channels < 3 ? 1 : 3;
    pictures.push_back(reduce(picture, largest_factor * std::max(size.height, size.width), channels));
    prepared.stages[0] = 0;
    const bool is_inverted = has_light_ground(pictures.front()) == request.is_ink_light;
    pictures.front() = to_ink(pictures.front(), request);
    clean(prepared, is_inverted, request.steps);
    // The hints are only valid for centred data sets.
    if (request.is_centred) prepared.hints = find_hints(pictures.front(), pictures.back(), is_inverted, request);

    const std::vector<int> ground = find_ground(pictures.back(), request);
    const bool has_ink = find_largest(pictures.back()) >= faintest;
    const auto is_taken = [&](Step step) { return has_ink && (request.steps >> step & 1) != 0; };
    const auto reach = [&](Step step) { prepared.stages[step + 1] = static_cast<int32_t>(pictures.size()) - 1; };
    if (is_taken(deslant)) {
        const Picture upright = set_upright(to_ink(pictures.back(), request), sum_moments(pictures.back()));
        pictures.push_back(to_ink(upright, request));
    }
    reach(deslant);
    if (is_taken(crop)) {
        pictures.push_back(cut(pictures.back(), find_box(join_channels(pictures.back()), request.threshold)));
    }
    reach(crop);
    if (request.steps == 0) {  // as the readers of data sets resize the pictures that a network is trained on
        pictures.push_back(to_ink(reduce(resize(picture, size), std::max(size.height, size.width), channels), request));
    } else {
        const Size scaled = find_scale({pictures.back().height, pictures.back().width}, request);
        pictures.push_back(to_ink(resize(to_ink(pictures.back(), request), scaled), request));
    }
    reach(scale);
    if (is_taken(contrast)) pictures.push_back(stretch_contrast(pictures.back()));
    reach(contrast);
    const Size corner = find_corner(pictures.back(), is_taken(centre) ? sum_moments(pictures.back()) : Moments{}, size);
    pictures.push_back(paste(pictures.back(), corner, size, ground, prepared.clipped));
    reach(centre);
    for (Picture& stage : pictures) stage = to_ink(stage, request);  // back to the lightness of the data set
    if (request.channels % 2 == 0) pictures.push_back(add_opaque_alpha(pictures.back()));
    return prepared;
}

}  // namespace convscope::handwriting
