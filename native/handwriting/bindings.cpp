// The Python module `_handwriting`; convscope.data.handwriting has checked the arguments.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <utility>

#include "preparation.hpp"

namespace nb = nanobind;

namespace convscope::handwriting {
namespace {

using Array = nb::ndarray<const uint8_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

View view(const Array& array) {
    const auto size = [&](std::size_t axis) { return static_cast<int64_t>(array.shape(axis)); };
    return {array.data(), size(0), size(1), size(2)};
}

// Returns a NumPy array that owns the picture.
nb::object to_array(Picture&& picture) {
    auto* owned = new Picture(std::move(picture));
    const nb::capsule owner(owned, [](void* pointer) noexcept { delete static_cast<Picture*>(pointer); });
    const auto size = [](int64_t length) { return static_cast<std::size_t>(length); };
    const std::initializer_list<std::size_t> shape = {size(owned->height), size(owned->width), size(owned->channels)};
    return nb::cast(nb::ndarray<nb::numpy, uint8_t>(owned->pixels.data(), shape, owner));
}

// Computes without the GIL.
template <class Compute>
auto run(Compute compute) {
    const nb::gil_scoped_release release;
    return compute();
}

nb::tuple prepare_picture(const Array& picture, int64_t height, int64_t width, int64_t channels, bool is_ink_light,
                          int64_t target, double threshold, bool is_centred, uint32_t steps) {
    const Request request = {height, width, channels, is_ink_light, target, threshold, is_centred, steps};
    Prepared prepared = run([&] { return prepare(view(picture), request); });
    nb::list pictures, stages;
    for (Picture& stage : prepared.pictures) pictures.append(to_array(std::move(stage)));
    for (const int32_t stage : prepared.stages) stages.append(pictures[static_cast<std::size_t>(stage)]);
    return nb::make_tuple(pictures[pictures.size() - 1], stages, prepared.hints, prepared.clipped);
}

double middle_of_classes(const nb::ndarray<const uint8_t, nb::c_contig, nb::device::cpu>& values) {
    return run([&] { return find_middle_of_classes(values.data(), static_cast<int64_t>(values.size())); });
}

nb::object average(const Array& band, int64_t start, int64_t rows, int64_t height, int64_t width, int64_t first, int64_t last) {
    const View from = view(band);  // from row `start` on, of a picture with `rows` rows
    Picture averaged(last - first, width, from.channels);
    run([&] {
        average_rows(from.pixels, start, {rows, from.width}, from.channels, {height, width}, first, last, averaged.at(0));
    });
    return to_array(std::move(averaged));
}

nb::tuple fit_size(int64_t height, int64_t width, int64_t max_height, int64_t max_width) {
    const Size size = fit({height, width}, {max_height, max_width});
    return nb::make_tuple(size.height, size.width);
}

nb::tuple measure(const Array& image, bool is_ink_light, double threshold) {
    const Picture ink = is_ink_light ? Picture(view(image)) : invert(Picture(view(image)));
    const Box box = find_box(join_channels(ink), threshold);
    const Size corner = find_corner(ink, sum_moments(ink), {ink.height, ink.width});
    return nb::make_tuple(find_largest(ink), std::max(box.bottom - box.top, box.right - box.left), corner.height, corner.width);
}

}  // namespace
}  // namespace convscope::handwriting

NB_MODULE(_handwriting, module) {
    using namespace convscope::handwriting;
    module.attr("LARGEST_FACTOR") = largest_factor;
    module.attr("FAINTEST") = faintest;
    module.def("prepare", prepare_picture, "Return the image, the picture after each step, the hints as bits, and `clipped`.");
    module.def("middle_of_classes", middle_of_classes, "Return the middle between the means of weak and strong values.");
    module.def("average_rows", average, "Return rows `first` to `last` - 1 of a picture's average (height, width).");
    module.def("fit", fit_size, "Return the largest size of the same aspect within another.");
    module.def("measure_ink", measure,
               "Return an image's strongest ink, the longer side of its box, and where centring would put its first pixel.");
}
