// The weights of one layer as a packed matrix, the optimizer's moments m and v, and copies of the weights in other
// layouts.
//
// Weights in Keras layout are a matrix of `inputs` rows (kernel row, kernel column, channel) by `filters` columns. Here
// they are cut into panels of panel_width columns. The rows of a panel follow each other, and the bias is its last row:
//
//     Keras: inputs x filters              packed: panel 0, panel 1, ..., each of inputs + 1 rows of panel_width
//         w00 w01 w02 w03 w04                  w00 w01    w02 w03    w04 0     (panel_width = 2)
//         w10 w11 w12 w13 w14                  w10 w11    w12 w13    w14 0
//                                              b0  b1     b2  b3     b4  0
//
// Columns after the last filter stay zero. A batch normalisation has gamma as its only row of weights and beta as its
// bias; PReLU has its slopes as its only row. m, v and gradients have the same layout.
//
// Network owns the Parameters. When a plan is made, each layer asks for the copies that it reads (keep_...). In
// training, threads call `update` for different rows, and the thread that updates a panel's last rows calls
// `finish_panel`.
#pragma once

#include <memory>

#include "bfloat16_weights.hpp"
#include "buffer.hpp"
#include "kernels/kernels.hpp"
#include "layers/layer.hpp"
#include "layers/winograd_algorithm.hpp"

namespace convscope {

// A step of training: the optimizer's factors, and average += (weights - average) average_rate after it.
struct Step {
    OptimizerStep optimizer;
    float average_rate = 0;  // 0: no average
};

class Parameters {
   public:
    Parameters(const Layer& layer, const Kernels& kernels);

    int64_t filters() const { return filters_; }
    int64_t inputs() const { return inputs_; }
    int64_t rows() const { return inputs_ + 1; }
    int64_t trained_rows() const { return inputs_ + (has_bias_ ? 1 : 0); }  // without a bias the last row stays zero
    int64_t panels() const { return panels_; }
    int64_t panel_size() const { return rows() * width_; }
    int64_t size() const { return panels_ * panel_size(); }
    // Each group of a convolution has its own panels, group_panels() of them, one group after another: two groups
    // of three filters in panels of two columns are 0 1 | 2 . | 3 4 | 5 .
    int64_t group_panels() const { return panels_ / groups_; }
    int64_t group(int64_t panel) const { return panel / group_panels(); }
    int64_t first_filter(int64_t panel) const { return group(panel) * group_filters_ + panel % group_panels() * width_; }
    int64_t columns(int64_t panel) const;  // how many columns of a panel are filters

    const float* panel(int64_t panel) const { return weights_.data() + panel * panel_size(); }
    const float* bias(int64_t panel) const { return this->panel(panel) + inputs_ * width_; }

    // The matrix that gives the input gradient, of each group: rows (kernel row and column from last to first, filter)
    // by columns (channel), in panels. Output p reads input p + r with weight r, so input p gets dy[p - r] w[r]: from
    // left to right dy[p - 2] dy[p - 1] dy[p] meet w[2] w[1] w[0]. A 1 x 2 kernel of filters a b has rows 1a 1b 0a 0b.
    const float* transposed_panel(int64_t panel) const { return transposed_.data() + panel * transposed_rows() * width_; }
    int64_t transposed_rows() const { return inputs_ / channels_ * group_filters_; }
    int64_t transposed_panels() const { return (channels_ + width_ - 1) / width_; }  // panels of a group
    // The kernels for `winners_input`, from first to last as it adds dy[p] w[r] to input p + r: (channel block, filter,
    // kernel row, kernel column, vector_width). With 5 channels and vectors of 4, block 1 is channel 4 and three zeros.
    const float* back() const { return back_.data(); }

    // The kernels transformed for Winograd's algorithm; positions are the numbers of a transformed tile (f2x3: 4 x 4).
    // For each panel of filters (position, channel, panel_width), backward of channels (position, filter, panel_width).
    const float* winograd_panel(int64_t panel) const { return winograd_.data() + panel * winograd_size(channels_); }
    const float* winograd_transposed_panel(int64_t panel) const {
        return winograd_transposed_.data() + panel * winograd_size(filters_);
    }

    const Bfloat16Weights& bfloat16() const { return *bfloat16_; }

    // A layer that reads a copy asks for it here when it is made. From then on the copy is updated with the weights.
    void keep_transposed();
    void keep_back();
    void keep_winograd(WinogradAlgorithm algorithm);
    void keep_winograd_transposed();
    void keep_bfloat16(bool transposed);

    // Takes a step with rows [begin, end) of a panel, whose gradient is (end - begin, panel_width).
    void update(int64_t panel, int64_t begin, int64_t end, const float* gradient, const Step& step);

    // Updates the copies made from whole panels (rounded, bfloat16, Winograd). Called after the panel's last `update`.
    void finish_panel(int64_t panel);

    // Rounds kernels to `bits` bits, each filter to its own levels k step (4 bits: k is -7 to 7). The optimizer then
    // changes unrounded weights, and the weights are their rounded copy. With 0 bits, training goes on from that copy.
    void round_kernels(int64_t bits);
    bool rounded() const { return !unrounded_.empty(); }

    // A running average of the weights, which then is the model that predicts. Between trainings `weights` holds the
    // average and `unaveraged` the weights from which training continues; during training it is the other way round,
    // and exchange_average() swaps them. Of rounded kernels, the unrounded are averaged, and the average is rounded.
    bool averaged() const { return !standby_.empty(); }
    void start_averaging();
    void exchange_average();
    void drop_average() { standby_ = {}; }

    enum Field { weights, m, v, unaveraged, unrounded };  // `array` lists them in this order
    void write(Field field, const float* kernel, const float* bias);   // from Keras layout
    void read(Field field, float* kernel, float* bias) const;          // to Keras layout
    void reset_moments();  // as before the first step
    void unpack(const float* packed, float* kernel, float* bias) const;  // `read` of any array in this layout

   private:
    int64_t winograd_size(int64_t rows) const { return winograd_sizes(winograd_algorithm_).positions() * rows * width_; }
    static Buffer<float> Parameters::*array(Field field);
    void start_rounding();
    // The weights that the optimizer changes, and that are averaged.
    Buffer<float>& trained() { return rounded() ? unrounded_ : weights_; }
    void round_panel(int64_t panel);
    void transform_for_winograd(int64_t panel);
    void copy_all();
    // Copies rows [begin, end) of a panel to the copies that the backward pass reads.
    void copy_rows(int64_t panel, int64_t begin, int64_t end);
    void copy_to_transposed(int64_t panel, int64_t begin, int64_t end, float* transposed) const;
    void copy_to_back(int64_t panel, int64_t begin, int64_t end, float* back) const;
    int64_t column(int64_t filter) const;  // offset of a filter's first weight

    const Kernels& kernels_;
    int64_t width_, vector_;
    int64_t kernel_[2];
    int64_t groups_;
    int64_t channels_;  // channels that a filter reads
    int64_t filters_, group_filters_, inputs_, panels_;
    bool has_kernel_;  // false if the weights are a normalisation's gamma or PReLU's slopes
    bool has_bias_;
    WinogradAlgorithm winograd_algorithm_ = WinogradAlgorithm::none;
    int64_t bits_ = 0;  // bits of rounded kernels; 0: not rounded
    Buffer<float> weights_, unrounded_, m_, v_, transposed_, back_, winograd_, winograd_transposed_;
    Buffer<float> standby_;  // during training the average, else the unaveraged weights; empty without an average
    std::unique_ptr<Bfloat16Weights> bfloat16_;
};

constexpr Named<Parameters::Field> field_names[] = {
    {"weights", Parameters::weights}, {"m", Parameters::m}, {"v", Parameters::v},
    {"unaveraged", Parameters::unaveraged}, {"unrounded", Parameters::unrounded}};
constexpr std::span<const Named<Parameters::Field>> names_of(Parameters::Field) { return field_names; }

}  // namespace convscope
