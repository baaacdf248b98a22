// After a step of the optimizer, the copies of the weights follow in two parts. `update` of some rows copies these rows
// to the layouts in which rows become columns (transposed_, back_). `finish_panel` of a whole panel makes what needs
// all its rows: the rounded weights (weights_ has them and predicts, while the optimizer changes
// unrounded_), and then the layouts made from rounded weights; bfloat16 numbers; Winograd's transforms.
#include "parameters.hpp"

#include <algorithm>
#include <utility>

namespace convscope {

Parameters::Parameters(const Layer& layer, const Kernels& kernels)
    : kernels_(kernels), width_(kernels.panel_width), vector_(kernels.vector_width),
      kernel_{layer.window[0], layer.window[1]}, groups_(layer.kind == Kind::convolution ? layer.groups : 1),
      channels_(layer.is_by_channel() ? 1 : layer.input.channels / groups_),
      filters_(layer.output.channels), group_filters_(filters_ / groups_),
      inputs_(layer.window[0] * layer.window[1] * channels_),
      panels_(groups_ * ((group_filters_ + width_ - 1) / width_)),
      has_kernel_(!layer.is_normalization() && layer.kind != Kind::prelu),
      has_bias_(layer.has_bias && layer.kind != Kind::prelu),
      weights_(make_buffer<float>(size())), m_(weights_), v_(weights_) {}  // all zeros

int64_t Parameters::columns(int64_t panel) const {
    return std::min(width_, group_filters_ - panel % group_panels() * width_);
}

int64_t Parameters::column(int64_t filter) const {
    const int64_t group = filter / group_filters_, within = filter % group_filters_;
    return (group * group_panels() + within / width_) * panel_size() + within % width_;
}

void Parameters::keep_transposed() {
    if (!transposed_.empty()) return;
    // Assigned when it is complete, so that a process forked meanwhile has none instead of half of it.
    Buffer<float> transposed = make_buffer<float>(groups_ * transposed_panels() * transposed_rows() * width_);
    for (int64_t p = 0; p < panels_; ++p) copy_to_transposed(p, 0, inputs_, transposed.data());
    transposed_ = std::move(transposed);
}

void Parameters::keep_back() {
    if (!back_.empty()) return;
    Buffer<float> back = make_buffer<float>(round_up(channels_, vector_) * filters_ * kernel_[0] * kernel_[1]);
    for (int64_t p = 0; p < panels_; ++p) copy_to_back(p, 0, inputs_, back.data());
    back_ = std::move(back);
}

void Parameters::keep_winograd(WinogradAlgorithm algorithm) {
    winograd_algorithm_ = algorithm;
    // `write` fills it: layers ask for it before their weights are set.
    if (winograd_.empty()) winograd_ = make_buffer<float>(panels_ * winograd_size(channels_));
}

void Parameters::keep_winograd_transposed() {
    if (!winograd_transposed_.empty()) return;
    winograd_transposed_ = make_buffer<float>(transposed_panels() * winograd_size(filters_));
    for (int64_t p = 0; p < panels_; ++p) finish_panel(p);
}

void Parameters::keep_bfloat16(bool transposed) {
    if (bfloat16_ == nullptr) {
        auto rounded = std::make_unique<Bfloat16Weights>(kernel_[0], kernel_[1], channels_, filters_, kernels_);
        for (int64_t p = 0; p < panels_; ++p) rounded->round(p, panel(p));
        bfloat16_ = std::move(rounded);
    }
    if (transposed) bfloat16_->keep_transposed(panel(0), panel_size());
}

void Parameters::finish_panel(int64_t panel) {
    if (rounded()) {
        round_panel(panel);
        copy_rows(panel, 0, inputs_);
    }
    if (bfloat16_ != nullptr) bfloat16_->round(panel, this->panel(panel));
    if (!winograd_.empty()) transform_for_winograd(panel);
}

// The transposed copy is made of the transformed weights: at each position, a panel's rows (channels) become columns.
void Parameters::transform_for_winograd(int64_t panel) {
    WinogradWeights w;
    w.algorithm = winograd_algorithm_;
    w.channels = channels_;
    w.columns = width_;
    w.rows = weights_.data() + panel * panel_size();
    w.transformed = winograd_.data() + panel * winograd_size(channels_);
    w.position_step = channels_ * width_;
    kernels_.winograd_weights(w);
    if (winograd_transposed_.empty()) return;
    for (int64_t position = 0; position < winograd_sizes(winograd_algorithm_).positions(); ++position) {
        for (int64_t transposed = 0; transposed < transposed_panels(); ++transposed) {
            const int64_t channel = transposed * width_;
            const float* from = w.transformed + (position * channels_ + channel) * width_;
            float* to = winograd_transposed_.data() + transposed * winograd_size(filters_) +
                        (position * filters_ + panel * width_) * width_;
            kernels_.transpose(from, width_, to, width_, std::min(width_, channels_ - channel), columns(panel));
        }
    }
}

void Parameters::update(int64_t panel, int64_t begin, int64_t end, const float* gradient, const Step& step) {
    const int64_t first = panel * panel_size() + begin * width_, count = (end - begin) * width_;
    const int64_t kernels = has_kernel_ ? (std::min(end, inputs_) - begin) * width_ : 0;  // of these, without the bias
    const auto take = [&](int64_t from, int64_t number, const OptimizerStep& rule) {
        const int64_t at = first + from;
        kernels_.take_step(trained().data() + at, m_.data() + at, v_.data() + at, gradient + from, number, rule);
    };
    if (step.optimizer.kernels_alone_decay && kernels < count) {
        OptimizerStep undecayed = step.optimizer;
        undecayed.kept = 1;
        take(0, kernels, step.optimizer);
        take(kernels, count - kernels, undecayed);
    } else {
        take(0, count, step.optimizer);
    }
    if (step.average_rate > 0) {
        kernels_.approach(standby_.data() + first, trained().data() + first, count, step.average_rate);
    }
    if (!rounded()) copy_rows(panel, begin, std::min(end, inputs_));
}

void Parameters::round_kernels(int64_t bits) {
    bits_ = has_kernel_ ? bits : 0;
    if (bits_ == 0) {
        unrounded_ = {};
        return;
    }
    start_rounding();
    copy_all();
}

void Parameters::round_panel(int64_t panel) {
    if (bits_ == 0) return;  // a saved state was restored, and training has not set the bits yet
    // The distance between levels for 2, 4 or 8 bits, divided by the root mean square of the weights: that of the least
    // mean square error for normally distributed numbers (Max 1960). engine/rounding.py has the same.
    const double step_of_rms = bits_ == 2 ? 1.2240 : bits_ == 4 ? 0.3534 : 0.03087;
    const int64_t first = panel * panel_size(), highest = (int64_t{1} << (bits_ - 1)) - 1;
    kernels_.round_columns(unrounded_.data() + first, inputs_, highest, step_of_rms, weights_.data() + first);
    std::copy_n(unrounded_.data() + first + inputs_ * width_, width_, weights_.data() + first + inputs_ * width_);
}

void Parameters::copy_rows(int64_t panel, int64_t begin, int64_t end) {
    if (!transposed_.empty()) copy_to_transposed(panel, begin, end, transposed_.data());
    if (!back_.empty()) copy_to_back(panel, begin, end, back_.data());
}

// In both copies channels are columns and filters are rows; parameters.hpp has their layouts. A few rows are transposed at a
// time: those of neighbouring channels at one kernel position become neighbouring columns. Such a run ends with the position
// (channels_) or with the copy's panel (width_) or channel block (vector_). With 5 channels and panels of 4, the rows
// 0 1 2 3 | 4 | 5 6 7 8 | 9 are four runs, two for each of two positions.
// The transposed copy has the positions from last to first: as a convolution of the output's gradient by the flipped kernel
// gives that of the input. `winners_input` adds to the positions that it reads, so its copy has them from first to last.
void Parameters::copy_to_transposed(int64_t panel, int64_t begin, int64_t end, float* transposed) const {
    const int64_t kernel_size = kernel_[0] * kernel_[1], filter = panel % group_panels() * width_;
    transposed += group(panel) * transposed_panels() * transposed_rows() * width_;
    for (int64_t row = begin, count; row < end; row += count) {
        const int64_t position = row / channels_, channel = row % channels_;
        count = std::min({end - row, channels_ - channel, width_ - channel % width_});
        const int64_t transposed_row = (kernel_size - 1 - position) * group_filters_ + filter;
        float* to = transposed + (channel / width_ * transposed_rows() + transposed_row) * width_ + channel % width_;
        kernels_.transpose(this->panel(panel) + row * width_, width_, to, width_, count, columns(panel));
    }
}

void Parameters::copy_to_back(int64_t panel, int64_t begin, int64_t end, float* back) const {
    const int64_t kernel_size = kernel_[0] * kernel_[1], filter = panel * width_;
    for (int64_t row = begin, count; row < end; row += count) {
        const int64_t position = row / channels_, channel = row % channels_;
        count = std::min({end - row, channels_ - channel, vector_ - channel % vector_});
        float* to = back + ((channel / vector_ * filters_ + filter) * kernel_size + position) * vector_ + channel % vector_;
        kernels_.transpose(this->panel(panel) + row * width_, width_, to, kernel_size * vector_, count, columns(panel));
    }
}

void Parameters::write(Field field, const float* kernel, const float* bias) {
    if (field == unaveraged) start_averaging();
    if (field == unrounded) start_rounding();
    float* to = (this->*array(field)).data();
    for (int64_t filter = 0; filter < filters_; ++filter) {
        float* column = to + this->column(filter);
        for (int64_t row = 0; row < inputs_; ++row) column[row * width_] = kernel[row * filters_ + filter];
        column[inputs_ * width_] = bias[filter];
    }
    if (field == weights) copy_all();
}

Buffer<float> Parameters::*Parameters::array(Field field) {
    static constexpr Buffer<float> Parameters::*in_order[] = {&Parameters::weights_, &Parameters::m_, &Parameters::v_,
                                                              &Parameters::standby_, &Parameters::unrounded_};
    return in_order[field];
}

void Parameters::reset_moments() {
    for (Buffer<float>* moments : {&m_, &v_}) std::fill_n(moments->data(), size(), 0.0f);
}

void Parameters::start_rounding() { if (!rounded()) unrounded_ = weights_; }

void Parameters::start_averaging() { if (standby_.empty()) standby_ = trained(); }

void Parameters::exchange_average() {
    trained().swap(standby_);
    copy_all();
}

void Parameters::copy_all() {
    for (int64_t p = 0; p < panels_; ++p) {
        if (!rounded()) copy_rows(p, 0, inputs_);  // else `finish_panel` does, once they are rounded
        finish_panel(p);
    }
}

void Parameters::read(Field field, float* kernel, float* bias) const {
    const bool has_field = field != unrounded || rounded();  // without rounding, the unrounded weights are the weights
    unpack((this->*array(has_field ? field : weights)).data(), kernel, bias);
}

void Parameters::unpack(const float* packed, float* kernel, float* bias) const {
    for (int64_t filter = 0; filter < filters_; ++filter) {
        const float* column = packed + this->column(filter);
        for (int64_t row = 0; row < inputs_; ++row) kernel[row * filters_ + filter] = column[row * width_];
        bias[filter] = column[inputs_ * width_];
    }
}

}  // namespace convscope
