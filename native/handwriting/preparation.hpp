// Prepares a picture like the images of a data set, in up to nine steps.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "picture.hpp"

namespace convscope::handwriting {

constexpr int64_t largest_factor = 10;  // a picture is first averaged down to 10 times the longer side of the image
constexpr int faintest = 26;            // a picture whose strongest ink is fainter than 26 of 255, a tenth, is empty

// In the order of STEPS and HINTS in src/convscope/data/handwriting/prepare.py and in the page. The steps invert a
// picture if its ink is dark and the data set's light or the reverse, even out the light, remove the paper with its
// ruled lines, remove small pieces, set slanted ink upright, cut to the ink, resize it to `target` pixels, stretch its
// strongest value to 255, and centre it.
enum Step { polarity, light, ink, specks, deslant, crop, scale, contrast, centre, num_steps };
enum Hint { empty, inverted, tiny, off_centre, several };

// The shape of the image to make, and how the images of its data set were made: `Handwriting` in recipe.py.
struct Request {
    int64_t height, width, channels;
    bool is_ink_light;
    int64_t target;    // pixels of the longer side of the ink
    double threshold;  // share of the strongest ink above which a pixel counts as ink
    bool is_centred;   // whether each image shows one object, scaled and centred
    uint32_t steps;    // bit s is set if step s is taken
};

// A step that is not taken repeats the index in `stages`; `scale` and `centre` always make a picture. With polarity and
// crop alone, pictures 0 to 4 are the reduced, inverted (or same), cropped, scaled and centred ones, and `stages` is
// 0 1 1 1 1 1 2 3 3 4. An image with alpha is one picture more, after the stages.
struct Prepared {
    std::vector<Picture> pictures;              // the reduced picture, and the result of each step; the last is the image
    std::array<int32_t, num_steps + 1> stages;  // indices of the pictures at the start and after each step
    uint32_t hints = 0;                         // bit h is set for hint h
    double clipped = 0;                         // the share of the ink that `centre` moved out of the image
};

// Prepares a picture. Memory: ten pictures of the reduced size (three times as wide after `deslant`), a few planes 5/3
// times as high and wide (`light` looks a third beyond each edge), and 8 bytes for each value of a row of `picture`,
// which is not copied before it is reduced.
Prepared prepare(const View& picture, const Request& request);

// Divides the values above 0 into weak ones, up to some level, and strong ones. Otsu's method takes the level at which
// n_weak n_strong (mean_strong - mean_weak)² is largest. Returns the middle of the two means, 0 if all are equal: of
// 10 12 200, 10 and 12 are weak, and it is (11 + 200) / 2, while Otsu's threshold is 12, far from the strong value.
double find_middle_of_classes(const uint8_t* values, int64_t count);

}  // namespace convscope::handwriting
