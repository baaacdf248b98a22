// Prepares a picture like the images of a data set, in up to nine steps. src/convscope/data/handwriting/prepare.py says
// what each step is for.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "picture.hpp"

namespace convscope::handwriting {

constexpr int64_t largest_factor = 10;  // a picture is first averaged down to at most 10 times the longer side of the image
constexpr int faintest = 26;            // a picture whose strongest ink is fainter than 26 of 255 is empty

// In the order of STEPS and HINTS in data/handwriting/prepare.py, which says what each is, and in the page.
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

struct Prepared {
    std::vector<Picture> pictures;              // the reduced picture, and the result of each step; the last is the image
    std::array<int32_t, num_steps + 1> stages;  // indices of the pictures at the start and after each step
    uint32_t hints = 0;                         // bit h is set for hint h
    double clipped = 0;                         // the share of the ink that `centre` moved out of the image
};

// Prepares a picture. Memory: ten pictures of the reduced size (three times as wide after `deslant`), a few planes 5/3
// times as high and wide, and 8 bytes for each value of a row of `picture`, which is not copied before it is reduced.
Prepared prepare(const View& picture, const Request& request);

// Divides the values above 0 into weak and strong ones by Otsu's method (the means of both lie as far apart as possible, see
// preparation.cpp), and returns the middle between the two means; 0 if all are equal. Ruled lines are weaker than ink.
double find_middle_of_classes(const uint8_t* values, int64_t count);

}  // namespace convscope::handwriting
