// The table of kernels of one instruction set, and what each kernel is given.
//
// The kernels are plain C++ with the compiler's vector extensions. Their sources are compiled once for each instruction
// set, each time in a namespace of its own; instruction_set.cpp chooses a table when the module is loaded. This header is
// all they share with the rest of the engine: plain structures, no templates, no standard library.
#pragma once

#include <stdint.h>

namespace convscope {

// Activations that are a pass of their own. Relu is one only where its derivative is wanted by itself: elsewhere it is part
// of a product's Finish.
enum class Activation { none, leaky_relu, gelu, tanh, sigmoid, relu, relu6, elu, silu, hard_silu };

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

// A matrix product whose left matrix is never written down, only pointed into:
//
//     C[m, n] = sum over q < segments, k < length of  A[a_rows[m] + q a_segment + k a_step] B[q b_segment + k b_step + n]
//
// The columns n come in panels of panel_width; B and bias of each further panel lie b_panel behind those of the one before.
// A convolution is this product: row m is a place, segment q a row of the kernel, and the `length` numbers of a segment
// are the kernel's columns and channels, which lie side by side in the map. So are a dense layer (one segment) and the
// gradients of both by weights (rows are weights, and the sum runs over places or images).
struct Product {
    const float* a = nullptr;
    const int64_t* a_rows = nullptr;
    int64_t a_segment = 0;
    const int64_t* a_jumps = nullptr;  // from each segment to the next, where they do not lie a_segment apart; not for pool
    int64_t a_step = 1;
    const float* b = nullptr;
    int64_t b_segment = 0;
    int64_t b_step = 0;
    int64_t b_panel = 0;
    int64_t segments = 1;
    int64_t length = 0;
    int64_t rows = 0;
    int64_t columns = 0;
    float* c = nullptr;
    const int64_t* c_rows = nullptr;
    int64_t products = 1;  // that many of a kind, whose A, B and C lie so far apart, bias as B and mask as C:
    int64_t a_product = 0, b_product = 0, c_product = 0;
    Finish finish = Finish::store;
    const float* bias = nullptr;
    const float* mask = nullptr;
    const int64_t* mask_rows = nullptr;
    // For Finish::pool: a row is a cell of four places. They are those of `order`, a_rows, c_rows and the winners go by cell,
    // a cell's place j reads from a_rows[cell] + window[j], and window[0] is 0; a_step is 1.
    const int32_t* order = nullptr;
    int64_t window[4] = {};
    int32_t* winners = nullptr;  // (cells, winner_row), or null where nobody asks
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
    const int64_t* output_offsets = nullptr;  // where each cell's channels go
    int32_t* winners = nullptr;              // (cells, channels), of max pooling; null where nobody asks
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
    int64_t kernel_row = 0, kernel_column = 0;  // in the input, from one of the kernel to the next
    const float* weights = nullptr;
    int64_t panel_size = 0;
    bool relu = false;
    float* output = nullptr;
    const int64_t* output_offsets = nullptr;
    const float* gradient = nullptr;   // (cells, outputs)
    float* kernel_gradient = nullptr;  // += the gradient by kernel and bias
    float* input_gradient = nullptr;   // += the gradient by the input, laid out as the input
};

// The cells of an image (rows, columns), NHWC, each of which reads window_rows rows of window_run numbers.
struct CellSearch {
    const float* input = nullptr;
    int64_t input_row = 0;
    int64_t cell_rows = 0, cell_columns = 0;
    int64_t down = 0, right = 0;  // from a cell to the one below it and to the one beside it
    int64_t window_rows = 0, window_run = 0;
    float* scratch = nullptr;  // (cell_rows, live_cells_row)
    int32_t* order = nullptr;  // (cells): first those that read anything but zeros, then the others
};

// For a row of cells that reads `run` numbers of a row.
constexpr int64_t live_cells_row(int64_t run, int64_t vector_width) { return run + 2 * vector_width; }

// One image of a convolution fused with a pooling of four places a cell, on its way back: a cell's gradient belongs to
// the one place that won. Place j of a cell reads the input from cell_offsets[cell] + window[j].
struct WinnersImage {
    const float* input = nullptr;
    int64_t input_row = 0;
    const float* gradient = nullptr;   // (cells, filters), zero where relu was closed
    const int32_t* winners = nullptr;  // (cells, filters), 0 to 3
    int64_t cells = 0;
    const int32_t* live = nullptr;  // by filters: the cells that read anything but zeros, live_cells of them
    int64_t live_cells = 0;
    const int64_t* cell_offsets = nullptr;
    int64_t window[4] = {};
    int64_t filters = 0;
    int64_t kernel_rows = 0;
    int64_t run = 0;              // kernel columns x channels: what a kernel row reads, side by side
    float* kernel = nullptr;      // += the gradient by the kernel
    float* bias = nullptr;        // += the gradient by the bias
    uint32_t* won = nullptr;      // scratch: for each of marked_cells 4 for every 32 filters
    int64_t channels = 0;         // of the input
    const float* back = nullptr;  // weights (channel block, filter, kernel row, kernel column, vector_width)
    float* input_gradient = nullptr;  // += the gradient by the input, laid out as the input
};

// Winograd's minimal filtering: 2 x 2 or 4 x 4 places of a 3 x 3 or 5 x 5 kernel, a tile, are computed at once.
enum class WinogradAlgorithm { none, f2x3, f4x3, f2x5, f4x5 };

// Tiles of one map, NHWC, and what a transform makes of them: a matrix (tile, channel) for each position.
struct WinogradTiles {
    WinogradAlgorithm algorithm = WinogradAlgorithm::none;
    int64_t tiles = 0, channels = 0;
    float* map = nullptr;  // only read by the transforms from it
    const int64_t* offsets = nullptr;  // of each tile's first pixel
    const int64_t* inside = nullptr;  // (tiles, 2): how many of its rows and columns of outputs the map has
    int64_t row = 0, pixel = 0;       // from one row of the map, and from one pixel, to the next
    float* transformed = nullptr;     // only read by the transforms to the map
    int64_t position_step = 0, tile_step = 0;  // channels go up to a whole register, whatever the lanes behind the last hold
    const float* bias = nullptr;
    bool relu = false;
};

// One panel of weights, rows (kernel row, kernel column, channel), and its matrices (position, channel, panel_width).
struct WinogradWeights {
    WinogradAlgorithm algorithm = WinogradAlgorithm::none;
    int64_t channels = 0;
    int64_t columns = 0;  // at most panel_width
    float* rows = nullptr;         // only read on the way there
    float* transformed = nullptr;  // only read on the way back
};

// Cells of a 3 x 3 convolution pooled 2 x 2, computed by Winograd's way: see winograd.cpp.
struct WinogradCells {
    int64_t cells = 0;
    const float* products = nullptr;  // (16, cells, panel_width)
    int64_t columns = 0;              // at most panel_width
    const float* bias = nullptr;
    bool relu = false;
    float* output = nullptr;
    const int64_t* output_offsets = nullptr;
    int32_t* winners = nullptr;  // (cells, winner_row), or null where nobody asks
    int64_t winner_row = 0;
};

// A product of bfloat16 numbers whose sums are float32, of all panels of columns. Rows of A come in runs:
//
//     C[r, m, n] = sum over q < segments, k < length of  A[r a_run + m a_row + a_segments[q] + k] B[q, k, n]
//
// What `finish` and the rest mean is as in Product. Numbers around A's own are read and multiplied by zeros, up to the end
// of a step behind a segment, and up to bfloat16_rows rows behind a run; they must be there, and finite.
struct Bfloat16Product {
    const uint16_t* a = nullptr;
    int64_t a_row = 0;
    int64_t a_run = 0;
    const int64_t* a_segments = nullptr;
    int64_t segments = 1;
    int64_t length = 0;
    const uint16_t* b = nullptr;  // panels of (segment, pair of rows, panel_width, 2), segments padded by zeros to whole steps
    int64_t b_panel = 0;          // from panel to panel
    int64_t runs = 1;
    int64_t rows = 0;  // of a run
    int64_t columns = 0;
    float* c = nullptr;
    const int64_t* c_rows = nullptr;  // (runs, rows); a row that goes to below zero is left out
    int64_t c_panel = 0;              // from panel to panel of C and of the mask
    Finish finish = Finish::store;
    const float* bias = nullptr;
    int64_t bias_panel = 0;
    const float* mask = nullptr;
    const int64_t* mask_rows = nullptr;
};

constexpr int64_t bfloat16_rows = 16;  // of A that are taken at once
constexpr int64_t bfloat16_step = 32;  // numbers of a sum that are taken at once

// Up to the end of a step.
constexpr int64_t bfloat16_padded(int64_t length) { return (length + bfloat16_step - 1) / bfloat16_step * bfloat16_step; }

// An image read between its pixels, bilinearly: pixel (y, x) of `output` is what lies at
//     row = rows[0] + rows[1] y + rows[2] x + strength down[y, x]
//     column = columns[0] + columns[1] y + columns[2] x + strength right[y, x]
// of the source, which is zero beyond its border.
struct Resampling {
    const uint8_t* framed = nullptr;  // (height + 2, width + 2, channels): the source in a frame of zeros
    uint32_t* corners = nullptr;      // scratch: (height + 1, width + 2, channels)
    int64_t height = 0, width = 0, channels = 0;
    double rows[3] = {}, columns[3] = {};
    const float* down = nullptr;  // (height, width) or null, as `right`; read on to the end of an augmentation_block
    const float* right = nullptr;
    float strength = 0;
    float* output = nullptr;  // (height, width, channels), and an augmentation_block of pixels that is written over
};

enum class OptimizerKind { adam, sgd };

// One step of an optimizer as plain factors; each kind reads those that it needs.
struct OptimizerStep {
    OptimizerKind kind = OptimizerKind::adam;
    float rate = 0;  // the learning rate; Adam's bias correction is in it
    float kept = 1;  // of each weight, what decay leaves
    float one_minus_beta_1 = 0, one_minus_beta_2 = 0, epsilon = 0;
    float momentum = 0;
    bool nesterov = false;
    bool kernels_alone_decay = false;  // and no biases, scales, shifts or slopes
};

// By channel: what the gradient by a normalised map becomes on its way to the map itself.
struct ChannelFactors {
    const float* by_gradient = nullptr;
    const float* by_value = nullptr;
    const float* constant = nullptr;
};

constexpr int64_t augmentation_block = 32;  // numbers or pixels at once
constexpr int64_t winners_block = 256;  // cells whose winners are listed at once: a list that stays in cache
constexpr int64_t marked_cells = 32;    // whose winners are marked before the marks are read

struct Kernels {
    const char* name;
    int64_t vector_width;  // floats in a register
    int64_t panel_width;   // columns of a product that a panel holds: two registers

    void (*multiply)(const Product&);
    void (*pool)(const PoolingImage&);
    void (*pool_backward)(const PoolingImage&);
    void (*average)(const PoolingImage&);
    void (*average_backward)(const PoolingImage&);
    void (*depthwise)(const DepthwiseImage&);
    void (*depthwise_kernel)(const DepthwiseImage&);
    void (*depthwise_input)(const DepthwiseImage&);

    // Writes the order of the cells and returns how many of them read anything but zeros.
    int64_t (*find_live_cells)(const CellSearch&);
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
    // Changes weights and what the optimizer remembers of them; see optimizers.cpp.
    void (*take_step)(float* weights, float* m, float* v, const float* gradient, int64_t count, const OptimizerStep&);
    // average[i] += (values[i] - average[i]) * rate
    void (*approach)(float* average, const float* values, int64_t count, float rate);
    void (*multiply_by)(float* values, int64_t count, float factor);
    double (*sum_of_squares)(const float* values, int64_t count);
    // Columns of (rows, panel_width), each rounded to whole multiples, from -highest to highest, of a step of its own:
    // step_of_rms times the root of its mean square.
    void (*round_columns)(const float* from, int64_t rows, int64_t highest, double step_of_rms, float* to);
    // The largest absolute value; NaN where one is no number.
    float (*largest_size)(const float* values, int64_t count);
    // to = from + values factor, where `to` may be `from`; returns the largest absolute value of it, as largest_size does.
    float (*add_scaled)(float* to, const float* from, const float* values, float factor, int64_t count);
    // Returns the cross-entropy of softmax(logits) and writes (probabilities - target) * scale over `gradient`, where the
    // target is one-hot but for `smoothing` of it, which is spread evenly over all classes.
    double (*cross_entropy)(const float* logits, int64_t classes, int64_t label, float smoothing, float scale,
                            float* gradient, bool* correct);
    void (*softmax)(const float* logits, int64_t classes, float* probabilities);
    void (*add)(float* sum, const float* values, int64_t count);
    // Of a map (pixels, channels), all of them by channel: sums[c] += sum over the pixels of x, of (x - mean)^2, and of
    // dy (x - mean)
    void (*channel_sums)(const float* x, int64_t pixels, int64_t channels, float* sums);
    void (*channel_squares)(const float* x, int64_t pixels, int64_t channels, const float* means, float* sums);
    void (*channel_products)(const float* x, const float* dy, int64_t pixels, int64_t channels, const float* means,
                             float* sums);
    // y = x scale + shift, and no less than zero where `relu` is set
    void (*scale_channels)(const float* x, int64_t pixels, int64_t channels, const float* scale, const float* shift,
                           bool relu, float* y);
    // dx = dy by_gradient + x by_value + constant
    void (*combine_channels)(const float* x, const float* dy, int64_t pixels, int64_t channels, const ChannelFactors&,
                             float* dx);
    // y[i] = f(x[i]), and dx[i] = dy[i] f'(x[i]); both may read past the end as products do
    void (*activate)(Activation, float slope, const float* x, int64_t count, float* y);
    void (*activate_backward)(Activation, float slope, const float* x, const float* dy, int64_t count, float* dx);
    // The same of leaky relu with a slope for each number; sums[i] += dy[i] x[i] where that is multiplied by its slope
    void (*prelu)(const float* x, const float* slopes, int64_t count, float* y);
    void (*prelu_backward)(const float* x, const float* dy, const float* slopes, int64_t count, float* dx, float* sums);
    // y[i] = 0 where the number first + i of the sequence `start` says so, for `dropped` in 2^24 of them, else
    // x[i] / (1 - dropped / 2^24)
    void (*dropout)(uint64_t start, int64_t first, int64_t dropped, const float* x, int64_t count, float* y);
    // Two numbers from each of the first `count` of the sequence `start`: evenly spread from -1 to 1, or normally distributed.
    void (*even_pairs)(uint64_t start, int64_t count, float* one, float* other);
    void (*normal_pairs)(uint64_t start, int64_t count, float* one, float* other);
    // to[i] = taps[0] from[i] + sum over k of taps[k] (from[i - k step] + from[i + k step]), k from 1 to radius. Reads on
    // to the end of an augmentation_block, and writes zeros there.
    void (*smooth)(const float* from, int64_t step, const float* taps, int64_t radius, int64_t count, float* to);
    void (*resample)(const Resampling&);
    // bytes[i] = values[i] * factor + addend + noise[i] * deviation, kept in 0 to 255 and rounded, halves up; `noise` may
    // be null
    void (*to_bytes)(const float* values, int64_t count, float factor, float addend, const float* noise, float deviation,
                     uint8_t* bytes);
    // to[i] = mask[i] > 0 ? from[i] : 0; a null mask keeps everything
    void (*copy_where_positive)(float* to, const float* from, const float* mask, int64_t count);
    // to[c * to_row + r] = from[r * from_row + c]
    void (*transpose)(const float* from, int64_t from_row, float* to, int64_t to_row, int64_t rows, int64_t columns);
    // Multiplies and adds in registers alone, and returns how many operations that were; `numbers` holds factor, addend
    // and start, and takes the result.
    double (*multiply_add)(int64_t steps, float* numbers);

    // The transforms of Winograd's way, each with its transpose for the way back.
    void (*winograd_input)(const WinogradTiles&);            // transformed = B^T map B, of the pixels that a tile reads
    void (*winograd_input_backward)(const WinogradTiles&);   // map += B transformed B^T
    void (*winograd_output)(const WinogradTiles&);           // map = A^T transformed A + bias, and relu
    void (*winograd_output_backward)(const WinogradTiles&);  // transformed = A map A^T, of a tile's places
    void (*winograd_weights)(const WinogradWeights&);           // transformed = G rows G^T
    void (*winograd_weights_backward)(const WinogradWeights&);  // rows += G^T transformed G
    void (*winograd_pool)(const WinogradCells&);  // from `products` of f2x3 to `output` and `winners`

    // Null in the page, which does not train with bfloat16.
    void (*multiply_bfloat16)(const Bfloat16Product&) = nullptr;
    void (*round_to_bfloat16)(const float* from, int64_t count, uint16_t* to) = nullptr;
    // A segment of a panel of B: rows from[rows[k] ...] of panel_width numbers, two by two, zeros where rows[k] is below zero
    // and to the end of the last step.
    void (*pair_rows)(const float* from, const int64_t* rows, int64_t count, uint16_t* to) = nullptr;
    // Rows of weights (count, panel_width), rounded, as `pairs` rows (pair of columns, panel_width, 2) of a panel.
    void (*transpose_rows)(const float* from, int64_t count, int64_t pairs, uint16_t* to) = nullptr;
    // A map, pixel p's channels at from + offsets[p], rounded, as to[channel * to_row + p]; an odd last pixel gets a zero
    // beside it.
    void (*by_channels)(const float* from, const int64_t* offsets, int64_t count, int64_t channels, uint16_t* to,
                        int64_t to_row) = nullptr;
};

}  // namespace convscope
