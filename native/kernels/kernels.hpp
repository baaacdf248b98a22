// The table of kernels of one instruction set, and what each kernel is given.
//
// The kernels are plain C++ with the compiler's vector extensions. Their sources are compiled once for each instruction
// set, each time in a namespace of its own; instruction_set.cpp chooses a table when the module is loaded. This header is
// all they share with the rest of the engine: plain structures, no templates, no standard library.
#pragma once

#include <stdint.h>

namespace convscope {

// Activations that are a pass of their own; relu is part of a product's Finish.
enum class Activation { none, leaky_relu, gelu, tanh, sigmoid };

// What becomes of the sums of a product.
enum class Finish {
    store,                 // C = sums
    accumulate,            // C += sums
    bias,                  // C = sums + bias
    bias_relu,             // C = max(sums + bias, 0)
    store_where_positive,  // C = sums where the mask is above zero, else 0: the derivative of relu
    pool,                  // C = the largest of a cell's four sums + bias; which one it was goes to `winners`
    pool_relu,             // the same, then max(., 0)
};

// One panel of a matrix product whose left matrix is never written down, only pointed into:
//
//     C[m, n] = sum over q < segments, k < length of  A[a_rows[m] + q a_segment + k a_step] B[q b_segment + k b_step + n]
//
// A convolution is this product: row m is a place, segment q a row of the kernel, and the `length` numbers of a segment
// are the kernel's columns and channels, which lie side by side in the map. So are a dense layer (one segment) and the
// gradients of both by weights (rows are weights, and the sum runs over places or images).
struct Product {
    const float* a = nullptr;
    const int64_t* a_rows = nullptr;
    int64_t a_segment = 0;
    int64_t a_step = 1;
    const float* b = nullptr;
    int64_t b_segment = 0;
    int64_t b_step = 0;
    int64_t segments = 1;
    int64_t length = 0;
    int64_t rows = 0;
    int64_t columns = 0;  // at most panel_width
    float* c = nullptr;
    const int64_t* c_rows = nullptr;
    Finish finish = Finish::store;
    const float* bias = nullptr;
    const float* mask = nullptr;
    const int64_t* mask_rows = nullptr;
    // For Finish::pool: a row is a cell of four places, m's place j reads from a_rows[m] + window[j], and window[0] is 0;
    // a_step is 1.
    int64_t window[4] = {};
    int32_t* winners = nullptr;  // (rows, winner_row)
    int64_t winner_row = 0;
};

// Pooling of one image, NHWC, the input without a frame. `winners` are offsets into `input`.
struct PoolingImage {
    const float* input = nullptr;
    int64_t in_rows = 0, in_columns = 0;
    int64_t channels = 0;
    int64_t out_rows = 0, out_columns = 0;
    int64_t size[2] = {}, stride[2] = {}, padding[2] = {};
    float* output = nullptr;
    const int64_t* output_places = nullptr;  // where each cell's channels go
    int32_t* winners = nullptr;              // (cells, channels), of max pooling
    const float* gradient = nullptr;         // (cells, channels)
    float* input_gradient = nullptr;         // += the gradient by the input
};

// Depthwise convolution of one image, NHWC, the input in its frame of zeros, weights and their gradient in panels.
struct DepthwiseImage {
    const float* input = nullptr;
    int64_t input_row = 0;
    int64_t channels = 0, outputs = 0;
    const int64_t* sources = nullptr;  // by output, its channel, to the end of a register; null: output o reads channel o
    int64_t out_rows = 0, out_columns = 0;
    int64_t size[2] = {}, stride[2] = {};
    const float* weights = nullptr;
    int64_t panel_size = 0;
    bool relu = false;
    float* output = nullptr;
    const int64_t* output_places = nullptr;
    const float* gradient = nullptr;   // (cells, outputs)
    float* kernel_gradient = nullptr;  // += the gradient by kernel and bias
    float* input_gradient = nullptr;   // += the gradient by the input, laid out as the input
};

// One image of a convolution fused with a pooling of four places a cell, on its way back: a cell's gradient belongs to
// the one place that won. Place j of a cell reads the input from cell_places[cell] + window[j].
struct WinnersImage {
    const float* input = nullptr;
    int64_t input_row = 0;
    const float* gradient = nullptr;   // (cells, filters), zero where relu was closed
    const int32_t* winners = nullptr;  // (cells, filters), 0 to 3
    int64_t cells = 0;
    const int64_t* cell_places = nullptr;
    int64_t window[4] = {};
    int64_t filters = 0;
    int64_t kernel_rows = 0;
    int64_t run = 0;              // kernel columns x channels: what a kernel row reads, side by side
    float* kernel = nullptr;      // += the gradient by the kernel
    float* bias = nullptr;        // += the gradient by the bias
    int64_t* offsets = nullptr;   // scratch: winners_block
    float* values = nullptr;      // scratch: winners_block
    uint64_t* won = nullptr;      // scratch: 4 for every 32 filters
    int64_t channels = 0;         // of the input
    const float* back = nullptr;  // weights (channel block, filter, kernel row, kernel column, vector_width)
    float* input_gradient = nullptr;  // += the gradient by the input, laid out as the input
};

// Cells of a 3 x 3 convolution pooled 2 x 2, computed by Winograd's way: see winograd.cpp.
struct WinogradCells {
    const float* input = nullptr;
    int64_t input_row = 0;
    int64_t channels = 0;
    int64_t cells = 0;
    const int64_t* cell_places = nullptr;
    float* transformed = nullptr;  // (16, cells, channel_row): what the cells read
    int64_t channel_row = 0;       // channels rounded up to vector_width
    const float* products = nullptr;  // (16, cells, panel_width)
    int64_t columns = 0;              // at most panel_width
    const float* bias = nullptr;
    bool relu = false;
    float* output = nullptr;
    const int64_t* output_places = nullptr;
    int32_t* winners = nullptr;  // (cells, winner_row)
    int64_t winner_row = 0;
};

struct AdamStep {
    float alpha, one_minus_beta_1, one_minus_beta_2, epsilon;
    float kept;  // of each weight, what decay leaves
};

struct MomentumStep {
    float rate, momentum;
    float kept;
    bool nesterov;
};

constexpr int64_t winners_block = 256;  // cells whose winners are listed at once: a list that stays in cache

struct Kernels {
    const char* name;
    int64_t vector_width;  // floats in a register
    int64_t panel_width;   // columns of a product that a tile holds: two registers

    void (*multiply)(const Product&);
    void (*pool)(const PoolingImage&);
    void (*average)(const PoolingImage&);
    void (*average_backward)(const PoolingImage&);
    void (*depthwise)(const DepthwiseImage&);
    void (*depthwise_kernel)(const DepthwiseImage&);
    void (*depthwise_input)(const DepthwiseImage&);

    // The gradient by the kernel, vectors along filters: best where a kernel row reads few numbers. `kernel` is laid out
    // as a panel (kernel rows x run, panel_width) for each panel_width filters, `bias` lies behind each panel's last row.
    void (*winners_kernel_by_filters)(const WinnersImage&);
    // The same, vectors along the kernel row; `kernel` is (filters, kernel rows, run rounded up to vector_width).
    void (*winners_kernel_by_runs)(const WinnersImage&);
    // The gradient by the input for square kernels of 3 or 5 that move by one place, pooled 2 x 2.
    void (*winners_input)(const WinnersImage&);

    // out[r * out_row + i] = bytes[r * length + i] * scale + offset
    void (*normalise)(const uint8_t* bytes, int64_t rows, int64_t length, float scale, float offset, float* out,
                      int64_t out_row);
    void (*adam)(float* weights, float* m, float* v, const float* gradient, int64_t count, const AdamStep&);
    void (*momentum)(float* weights, float* velocity, const float* gradient, int64_t count, const MomentumStep&);
    // average[i] += (values[i] - average[i]) * rate
    void (*approach)(float* average, const float* values, int64_t count, float rate);
    void (*multiply_by)(float* values, int64_t count, float factor);
    double (*sum_of_squares)(const float* values, int64_t count);
    // Returns the cross-entropy of softmax(logits) and writes (probabilities - target) * scale over `gradient`, where the
    // target is one-hot but for `smoothing` of it, which is spread evenly over all classes.
    double (*cross_entropy)(const float* logits, int64_t classes, int64_t label, float smoothing, float scale,
                            float* gradient, bool* correct);
    void (*softmax)(const float* logits, int64_t classes, float* probabilities);
    void (*add)(float* sum, const float* values, int64_t count);
    // y[i] = f(x[i]), and dx[i] = dy[i] f'(x[i]); both may read past the end as products do
    void (*activate)(Activation, const float* x, int64_t count, float* y);
    void (*activate_backward)(Activation, const float* x, const float* dy, int64_t count, float* dx);
    // y[i] = 0 where the number first + i of the sequence `start` says so, for `dropped` in 2^24 of them, else
    // x[i] / (1 - dropped / 2^24)
    void (*dropout)(uint64_t start, int64_t first, int64_t dropped, const float* x, int64_t count, float* y);
    // to[i] = mask[i] > 0 ? from[i] : 0; a null mask keeps everything
    void (*copy_where_positive)(float* to, const float* from, const float* mask, int64_t count);
    // to[c * to_row + r] = from[r * from_row + c]
    void (*transpose)(const float* from, int64_t from_row, float* to, int64_t to_row, int64_t rows, int64_t columns);
    // Multiplies and adds in registers alone, and returns how many operations that were; `numbers` holds factor, addend
    // and start, and takes the result.
    double (*multiply_add)(int64_t steps, float* numbers);

    // From the rows of a panel (3 x 3 places, channel) to 16 matrices (channel, panel_width).
    void (*winograd_kernel)(const float* panel_rows, int64_t channels, float* to);
    void (*winograd_input)(const WinogradCells&);  // from `input` to `transformed`
    void (*winograd_pool)(const WinogradCells&);   // from `products` to `output` and `winners`
};

}  // namespace convscope
