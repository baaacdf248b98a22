#include "batch_normalization.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace convscope {

namespace {

constexpr int64_t max_repeated = 4;  // registers: with more a pixel, one that is not full hardly matters

std::size_t at(int64_t i) { return static_cast<std::size_t>(i); }

}  // namespace

BatchNormalization::BatchNormalization(const StepContext& context, const Parameters& parameters, MovingStatistics& moving)
    : MapLayer(context), parameters_(parameters), moving_(moving), channels_(layer_.input.channels),
      row_(round_up(channels_, kernels_.panel_width)),
      pixels_(layer_.input.height * layer_.input.width),
      period_(channels_ > max_repeated * kernels_.vector_width ? channels_ : std::lcm(channels_, kernels_.vector_width)) {}

Statistics BatchNormalization::make_statistics(int64_t slices) const {
    Statistics statistics;
    statistics.row = row_;
    for (Buffer<float>* by_channel : {&statistics.means, &statistics.inverses}) *by_channel = make_buffer<float>(row_);
    for (Buffer<float>* factors : {&statistics.scales, &statistics.shifts, &statistics.by_gradient, &statistics.by_value,
                                   &statistics.constant}) {
        *factors = make_buffer<float>(period_);
    }
    statistics.variances = make_buffer<double>(channels_);
    statistics.parts = make_buffer<float>(slices * 2 * row_);
    return statistics;
}

void BatchNormalization::measure(Workspace& workspace, int64_t count) const {
    float* means = workspace.statistics[map_].part(workspace.slice);
    float* squares = means + row_;
    std::fill(means, means + 2 * row_, 0.0f);
    const MapImages& from = workspace.values[map_];
    const Maps maps = {count, pixels_, channels_, from.stride, 0};
    kernels_.channel_sums(from.image(0), maps, means);
    for (int64_t c = 0; c < channels_; ++c) means[c] /= static_cast<float>(count * pixels_);
    kernels_.channel_squares(from.image(0), maps, means, squares);
}

// Merges the slices one after another (Chan, Golub and LeVeque 1983), in double: for groups a and b of n_a and n_b pixels
//     mean = mean_a + d n_b / (n_a + n_b)    squares = squares_a + squares_b + d^2 n_a n_b / (n_a + n_b)    d = mean_b - mean_a
void BatchNormalization::merge(Statistics& statistics, int64_t images) const {
    statistics.of_batch = true;
    const int64_t slices = count_slices(images);
    for (int64_t c = 0; c < channels_; ++c) {
        double mean = 0, squares = 0, pixels = 0;  // of the slices merged so far
        for (int64_t slice = 0; slice < slices; ++slice) {
            const float* part = statistics.part(slice) + c;
            const auto added = static_cast<double>(std::min(slice_images, images - slice * slice_images) * pixels_);
            const double distance = static_cast<double>(part[0]) - mean;
            squares += static_cast<double>(part[row_]) + distance * distance * pixels * added / (pixels + added);
            mean += distance * added / (pixels + added);
            pixels += added;
        }
        statistics.means[at(c)] = static_cast<float>(mean);
        statistics.variances[at(c)] = squares / pixels;
    }
    make_factors(statistics);
}

void BatchNormalization::use_moving(Statistics& statistics) const {
    statistics.of_batch = false;
    for (int64_t c = 0; c < channels_; ++c) {
        statistics.means[at(c)] = moving_.means[at(c)];
        statistics.variances[at(c)] = static_cast<double>(moving_.variances[at(c)]);
    }
    make_factors(statistics);
}

void BatchNormalization::make_factors(Statistics& statistics) const {
    const int64_t width = kernels_.panel_width;
    for (int64_t c = 0; c < channels_; ++c) {
        const float gamma = parameters_.panel(c / width)[c % width], beta = parameters_.bias(c / width)[c % width];
        const auto inverse = static_cast<float>(1 / std::sqrt(statistics.variances[at(c)] + layer_.epsilon));
        statistics.inverses[at(c)] = inverse;
        statistics.scales[at(c)] = gamma * inverse;
        statistics.shifts[at(c)] = static_cast<float>(static_cast<double>(beta) - static_cast<double>(statistics.means[at(c)]) *
                                                      static_cast<double>(statistics.scales[at(c)]));
        statistics.by_gradient[at(c)] = gamma * inverse;
        statistics.by_value[at(c)] = statistics.constant[at(c)] = 0;
    }
    for (Buffer<float>* factors : {&statistics.scales, &statistics.shifts, &statistics.by_gradient, &statistics.by_value,
                                   &statistics.constant}) {
        repeat(*factors);
    }
}

void BatchNormalization::repeat(Buffer<float>& factors) const {
    for (int64_t filled = channels_; filled < period_; filled *= 2) {
        std::copy_n(factors.data(), std::min(filled, period_ - filled), factors.data() + filled);
    }
}

void BatchNormalization::update_moving(const Statistics& statistics, float average_rate) const {
    for (int64_t c = 0; c < channels_; ++c) {
        const double mean = static_cast<double>(statistics.means[at(c)]), kept = layer_.momentum;
        float &moving_mean = moving_.means[at(c)], &moving_variance = moving_.variances[at(c)];
        moving_mean = static_cast<float>(kept * static_cast<double>(moving_mean) + (1 - kept) * mean);
        moving_variance =
            static_cast<float>(kept * static_cast<double>(moving_variance) + (1 - kept) * statistics.variances[at(c)]);
    }
    if (average_rate == 0) return;
    kernels_.approach(moving_.standby_means.data(), moving_.means.data(), channels_, average_rate);
    kernels_.approach(moving_.standby_variances.data(), moving_.variances.data(), channels_, average_rate);
}

void BatchNormalization::forward(Workspace& workspace, int64_t begin, int64_t end) const {
    const Statistics& statistics = workspace.statistics[map_];
    const float *scales = statistics.scales.data(), *shifts = statistics.shifts.data();
    const Shape shape = layer_.input;
    const int64_t row = shape.width * channels_;
    for (int64_t i = begin; i < end; ++i) {
        const float* from = workspace.values[map_].image(i);
        float* to = workspace.values[map_ + 1].image(i);
        if (output_.value.is_plain()) {
            kernels_.scale_channels(from, pixels_ * channels_, period_, scales, shifts, layer_.relu, to);
            continue;
        }
        for (int64_t y = 0; y < shape.height; ++y) {
            kernels_.scale_channels(from + y * row, row, period_, scales, shifts, layer_.relu, to + output_.value.at(y, 0));
        }
    }
}

void BatchNormalization::backward(Workspace& workspace, int64_t begin, int64_t end, float* gradient) const {
    if (!workspace.statistics[map_].of_batch && gradient != nullptr) add_sums(workspace, begin, end, gradient);
    write_input_gradient(workspace, begin, end);
}

void BatchNormalization::add_sums(Workspace& workspace, int64_t begin, int64_t end, float* gradient) const {
    const Statistics& statistics = workspace.statistics[map_];
    float* products = workspace.scratch->floats.data();
    std::fill(products, products + row_, 0.0f);
    const MapImages &from = workspace.values[map_], &gradients = workspace.gradients[map_ + 1];
    kernels_.channel_products(from.image(begin), gradients.image(begin),
                              {end - begin, pixels_, channels_, from.stride, gradients.stride}, statistics.means.data(),
                              products, gradient + row_);
    for (int64_t c = 0; c < channels_; ++c) gradient[c] += products[c] * statistics.inverses[at(c)];
}

void BatchNormalization::merge_back(Statistics& statistics, const Batch& batch, int64_t images, int64_t offset) const {
    // dx = scale (dy - dbeta / pixels - h dgamma / pixels), with scale = gamma inverse and h = (x - mean) inverse, is
    //     scale dy + by_value x + constant    by_value = -scale inverse dgamma / pixels
    //                                         constant = -scale dbeta / pixels - by_value mean
    const double pixels = static_cast<double>(images * pixels_);
    for (int64_t c = 0; c < channels_; ++c) {
        double dgamma = 0, dbeta = 0;
        for (const Buffer<float>& shard : batch.shards) {
            dgamma += static_cast<double>(shard[at(offset + c)]);
            dbeta += static_cast<double>(shard[at(offset + row_ + c)]);
        }
        const double scale = static_cast<double>(statistics.scales[at(c)]);
        const double inverse = static_cast<double>(statistics.inverses[at(c)]);
        const double by_value = -scale * inverse * dgamma / pixels;
        statistics.by_value[at(c)] = static_cast<float>(by_value);
        statistics.constant[at(c)] =
            static_cast<float>(-scale * dbeta / pixels - by_value * static_cast<double>(statistics.means[at(c)]));
    }
    repeat(statistics.by_value);
    repeat(statistics.constant);
}

void BatchNormalization::write_input_gradient(Workspace& workspace, int64_t begin, int64_t end) const {
    if (!wants_input_gradient_) return;
    const Statistics& statistics = workspace.statistics[map_];
    const ChannelFactors factors = {statistics.by_gradient.data(), statistics.by_value.data(), statistics.constant.data()};
    const Shape shape = layer_.input;
    const int64_t row = shape.width * channels_;
    const bool direct = !input_.relu && input_.gradient.step[1] == 1;
    float* scratch = workspace.scratch->floats.data();
    for (int64_t i = begin; i < end; ++i) {
        const float *x = workspace.values[map_].image(i), *dy = workspace.gradients[map_ + 1].image(i);
        float* dx = workspace.gradients[map_].image(i);
        for (int64_t y = 0; y < shape.height; ++y) {
            float* to = direct ? dx + input_.gradient.at(y, 0) : scratch;
            kernels_.combine_channels(x + y * row, dy + y * row, row, period_, factors, to);
            if (!direct) write_gradient_row(kernels_, scratch, input_, x, y, dx);
        }
    }
}

void BatchNormalization::collect(const Batch& batch, int64_t, int64_t offset, int64_t panel, int64_t begin, int64_t end,
                                 float* total) const {
    const int64_t width = kernels_.panel_width;
    for (int64_t row = begin; row < end; ++row) {
        add_shards(batch.shards, offset + row * row_ + panel * width, width, kernels_, total + (row - begin) * width);
    }
}

Extents BatchNormalization::extents() const {
    return {Cells::plainly(layer_.input), Cells::in(output_.value, layer_.input), Cells::plainly(layer_.input),
            Cells::in(input_.gradient, layer_.input)};
}

}  // namespace convscope
