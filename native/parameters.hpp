// The weights of one layer as a packed matrix, what the optimizer remembers of them, and the copies that the way back
// reads.
//
// Weights in Keras layout are a matrix of `inputs` rows (kernel row, kernel column, channel) by `filters` columns. Here
// they are cut into panels of panel_width columns; in a panel the rows lie one behind another, and the bias is one more
// row at the end. Of batch normalisation gamma is the one row of weights, and beta the bias; of PReLU the slopes are it. Columns beyond the last filter hold zeros and stay zero. m, v and gradients have the same layout.
#pragma once

#include <memory>

#include "bfloat16_weights.hpp"
#include "buffer.hpp"
#include "kernels/kernels.hpp"
#include "layers/layer.hpp"
#include "layers/winograd_algorithm.hpp"

namespace convscope {

// What a step of training does with a gradient: by which rule, and by how much an average of the weights follows.
struct Step {
    OptimizerStep optimizer;
    float average_rate = 0;
};

class Parameters {
   public:
    Parameters(const Layer& layer, const Kernels& kernels);

    int64_t filters() const { return filters_; }
    int64_t inputs() const { return inputs_; }
    int64_t rows() const { return inputs_ + 1; }
    int64_t trained_rows() const { return inputs_ + (has_bias_ ? 1 : 0); }  // without a bias that row stays zero
    int64_t panels() const { return panels_; }
    int64_t panel_size() const { return rows() * width_; }
    int64_t size() const { return panels_ * panel_size(); }
    // A convolution's groups have panels of their own: as many each, one group's behind the other's.
    int64_t group_panels() const { return panels_ / groups_; }
    int64_t group(int64_t panel) const { return panel / group_panels(); }
    int64_t first_filter(int64_t panel) const { return group(panel) * group_filters_ + panel % group_panels() * width_; }
    int64_t columns(int64_t panel) const;  // of a panel that are filters

    const float* panel(int64_t panel) const { return weights_.data() + panel * panel_size(); }
    const float* bias(int64_t panel) const { return this->panel(panel) + inputs_ * width_; }

    // The matrix of the way back, for the gradient by the input: rows (kernel row and column from last to first, filter)
    // by columns (channel), in panels; of each group its own.
    const float* transposed_panel(int64_t panel) const { return transposed_.data() + panel * transposed_rows() * width_; }
    int64_t transposed_rows() const { return inputs_ / channels_ * group_filters_; }
    int64_t transposed_panels() const { return (channels_ + width_ - 1) / width_; }  // of a group
    // The kernels by channel block, filter, place: what `winners_input` reads.
    const float* back() const { return back_.data(); }

    // The kernels as Winograd's way multiplies by them: for each panel of filters matrices (position, channel, panel_width),
    // and for the way back for each panel of channels (position, filter, panel_width).
    const float* winograd_panel(int64_t panel) const { return winograd_.data() + panel * winograd_size(channels_); }
    const float* winograd_transposed_panel(int64_t panel) const {
        return winograd_transposed_.data() + panel * winograd_size(filters_);
    }

    const Bfloat16Weights& bfloat16() const { return *bfloat16_; }

    // Each copy is made for a layer that reads it, and follows the weights from then on.
    void keep_transposed();
    void keep_back();
    void keep_winograd(WinogradAlgorithm algorithm);
    void keep_winograd_transposed();
    void keep_bfloat16(bool transposed);

    // One step for rows [begin, end) of a panel, whose gradient is (end - begin, panel_width).
    void update(int64_t panel, int64_t begin, int64_t end, const float* gradient, const Step& step);

    // Brings up to date what is made from whole panels, once every row of this one has been updated.
    void finish_panel(int64_t panel);

    // Kernels of few bits: the optimizer changes unrounded weights, and the weights are these with every kernel rounded, for
    // each filter to a grid of its own. Of 0 bits, training goes on from the weights as they are.
    void round_kernels(int64_t bits);
    bool rounded() const { return !unrounded_.empty(); }

    // A running average of the weights. Between trainings the average stands in the weights' place, since it is the
    // model, and `unaveraged` holds the weights that training goes on from; within a training it is the other way round. Of
    // rounded kernels the unrounded ones are averaged, and the average is rounded.
    bool averaged() const { return !standby_.empty(); }
    void start_averaging();
    void exchange_average();
    void drop_average() { standby_ = {}; }

    enum Field { weights, m, v, unaveraged, unrounded };
    void write(Field field, const float* kernel, const float* bias);   // from Keras layout
    void read(Field field, float* kernel, float* bias) const;          // to Keras layout
    void unpack(const float* packed, float* kernel, float* bias) const;  // the same from any array in this layout

   private:
    int64_t winograd_size(int64_t rows) const { return winograd_sizes(winograd_algorithm_).positions() * rows * width_; }
    static Buffer<float> Parameters::*array(Field field);
    void start_rounding();
    // What the optimizer changes and an average is one of.
    Buffer<float>& trained() { return rounded() ? unrounded_ : weights_; }
    void round_panel(int64_t panel);
    void copy_all();
    // Rows [begin, end) of a panel to the copies of the way back.
    void copy_rows(int64_t panel, int64_t begin, int64_t end);
    void copy_to_transposed(int64_t panel, int64_t begin, int64_t end, float* transposed) const;
    void copy_to_back(int64_t panel, int64_t begin, int64_t end, float* back) const;
    int64_t column(int64_t filter) const;  // where that of a filter begins

    const Kernels& kernels_;
    int64_t width_, vector_;
    int64_t kernel_[2];
    int64_t groups_;
    int64_t channels_;  // that a filter reads
    int64_t filters_, group_filters_, inputs_, panels_;
    bool has_kernel_;  // or a normalisation's or PReLU's numbers in its place
    bool has_bias_;
    WinogradAlgorithm winograd_algorithm_ = WinogradAlgorithm::none;
    int64_t bits_ = 0;  // of rounded kernels
    Buffer<float> weights_, unrounded_, m_, v_, transposed_, back_, winograd_, winograd_transposed_;
    Buffer<float> standby_;  // while training the averages, else the unaveraged weights
    std::unique_ptr<Bfloat16Weights> bfloat16_;
};

constexpr Named<Parameters::Field> field_names[] = {{"weights", Parameters::weights},
                                                    {"m", Parameters::m},
                                                    {"v", Parameters::v},
                                                    {"unaveraged", Parameters::unaveraged},
                                                    {"unrounded", Parameters::unrounded}};
constexpr std::span<const Named<Parameters::Field>> names_of(Parameters::Field) { return field_names; }

}  // namespace convscope
