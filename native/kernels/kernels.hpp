// The table of kernels of one instruction set, and their arguments, which the layers fill in.
//
// The kernels are plain C++ with the compiler's vector extensions. Their sources are compiled once for each instruction
// set, each time in a namespace of its own; instruction_set.cpp chooses a table when the module is loaded. The kernels
// share only this header with the rest of the engine: plain structures, no templates, no standard library.
//
//     map       rows, columns and channels of an image (NHWC): channels are contiguous, then columns, then rows
//     register  a vector of vector_width floats, one for each lane: 16 with AVX-512
//     panel     panel_width columns (two registers) of a matrix: (rows, panel_width), one panel after another
//     cell      a pooling window, which becomes one output pixel; it is live if it reads a number that is not zero
//     winner    the index of the pixel of a cell whose number is the largest, by filter: it alone gets the gradient
//
// Offsets, steps and sizes count elements, not bytes. A field that a kernel does not need keeps its default.
#pragma once

#include <stdint.h>

namespace convscope {

// Activations that are a pass of their own. Relu usually is not: it is part of a product's Finish.
enum class Activation { none, leaky_relu, gelu, tanh, sigmoid, relu, relu6, elu, selu, silu, hard_silu, hard_sigmoid };

// What a product does with its sums.
enum class Finish {
    store,                 // C = sums
    accumulate,            // C += sums
    bias,                  // C = sums + bias
    bias_relu,             // C = max(sums + bias, 0)
    store_where_positive,  // C = mask > 0 ? sums : 0, the derivative of relu
    pool,                  // C = the largest of a cell's four sums, + bias; writes the index of the largest to `winners`
    pool_relu,             // the same, then max(., 0)
};

// Numbers that are brought into the cache during a kernel's steps, `step` for each: what is read or written next.
struct Fetch {
    const float* from = nullptr;
    int64_t step = 0;
};

// A matrix product whose left matrix is not stored, but read from a map through offsets:
//
//     C[m, n] = sum over q < segments, k < length of  A[a_rows[m] + q a_segment + k a_step] B[q b_segment + k b_step + n]
//
// The columns n come in panels of panel_width; B and bias of the next panel are at an offset of b_panel. A convolution
// is this product: row m is an output pixel, segment q a kernel row, and the `length` numbers of a segment are the
// kernel's columns and channels, which are contiguous in the map: for 3 x 3 weights on 8 columns of 2 channels,
// 3 segments of length 6, a_segment 16, a_step 1, and for pixel (y, x) a_rows = 16 y + 2 x. A dense layer has a single
// segment. For the weights' gradients the rows are weights, and the sum is over pixels or images.
struct Product {
    const float* a = nullptr;
    const int64_t* a_rows = nullptr;
    int64_t a_segment = 0;
    const int64_t* a_jumps = nullptr;  // offset from each segment to the next, if not a_segment; not for pool
    int64_t a_step = 1;
    const float* b = nullptr;
    int64_t b_segment = 0, b_step = 0, b_panel = 0;
    int64_t segments = 1, length = 0, rows = 0, columns = 0;
    float* c = nullptr;
    const int64_t* c_rows = nullptr;
    int64_t products = 1;  // how many products of these sizes to compute
    int64_t a_product = 0, b_product = 0, c_product = 0;  // offsets to the next product; bias has that of B, mask of C
    Fetch fetches[2] = {};
    Finish finish = Finish::store;
    const float *bias = nullptr, *mask = nullptr;
    const int64_t* mask_rows = nullptr;
    // For Finish::pool a row is a cell, and `order` lists the rows to compute: cell order[m] has a_rows[order[m]],
    // c_rows[order[m]] and its row of winners. Pixel j of a cell reads A from a_rows[cell] + window[j] on; window[0] is
    // 0 and a_step is 1. On 8 columns of 2 channels pooled 2 x 2 `window` is 0, 2, 16, 18.
    const int32_t* order = nullptr;
    int64_t window[4] = {};
    int32_t* winners = nullptr;  // (cells, winner_row), 0 to 3, or null
    int64_t winner_row = 0;
};

// Pooling of one image, NHWC, the input without padding. `winners` are offsets into `input`.
struct PoolingImage {
    const float* input = nullptr;
    int64_t in_rows = 0, in_columns = 0, channels = 0, out_rows = 0, out_columns = 0;
    int64_t size[2] = {}, stride[2] = {}, padding[2] = {};
    float* output = nullptr;
    const int64_t* output_offsets = nullptr;  // offset of each cell, an output pixel
    int32_t* winners = nullptr;               // (cells, channels), of max pooling; may be null
    const float* gradient = nullptr;          // (cells, channels)
    float* input_gradient = nullptr;          // += the gradient with respect to the input
};

// Depthwise convolution of one image, NHWC, the input with its padding, weights and their gradient in panels.
struct DepthwiseImage {
    const float* input = nullptr;
    int64_t input_row = 0, channels = 0, outputs = 0;
    const int64_t* sources = nullptr;  // each output's channel, up to a whole register; null: output o reads channel o
    int64_t out_rows = 0, out_columns = 0;
    int64_t size[2] = {}, stride[2] = {};
    int64_t kernel_row = 0, kernel_column = 0;  // in the input, from one kernel row or column to the next
    const float* weights = nullptr;
    int64_t panel_size = 0;
    bool relu = false;
    float* output = nullptr;
    const int64_t* output_offsets = nullptr;
    const float* gradient = nullptr;   // (cells, outputs)
    float* kernel_gradient = nullptr;  // += the gradient with respect to kernel and bias
    float* input_gradient = nullptr;   // zeros, to which the gradient is added; laid out as the input
};

// The cells of an image, NHWC. A cell reads window_rows rows of window_run contiguous numbers: those of four 3 x 3
// kernels on neighbouring pixels of 2 channels are 4 rows of 8 numbers.
struct CellSearch {
    const float* input = nullptr;
    int64_t input_row = 0, cell_rows = 0, cell_columns = 0;
    int64_t down = 0, right = 0;  // offsets from a cell to the next below and to the right
    int64_t window_rows = 0, window_run = 0;
    float* scratch = nullptr;  // (cell_rows, live_cells_row)
    int32_t* order = nullptr;  // (cells): first the live cells, which read a number that is not zero
};

// The size of a scratch row for cells that together read `run` numbers of an input row.
constexpr int64_t live_cells_row(int64_t run, int64_t vector_width) { return run + 2 * vector_width; }

// The backward pass of a convolution fused with a pooling of four pixels, for one image: a cell's gradient belongs to the
// pixel that won. Pixel j of a cell reads the input from cell_offsets[cell] + window[j].
struct WinnersImage {
    const float* input = nullptr;
    int64_t input_row = 0;
    const float* gradient = nullptr;   // (cells, filters), zero if relu was zero
    const int32_t* winners = nullptr;  // (cells, filters), 0 to 3
    int64_t cells = 0;
    const int32_t* live = nullptr;  // the live cells, for winners_kernel_by_filters
    int64_t live_cells = 0;
    const int64_t* cell_offsets = nullptr;
    int64_t window[4] = {};
    int64_t filters = 0, channels = 0, kernel_rows = 0;
    int64_t run = 0;              // kernel columns x channels: the contiguous numbers of a kernel row
    float* kernel = nullptr;      // += the gradient with respect to the kernel
    float* bias = nullptr;        // += the gradient with respect to the bias
    uint32_t* won = nullptr;      // scratch of marks: (marked_cells, marks_size)
    const float* back = nullptr;  // weights (channel block, filter, kernel row, kernel column, vector_width)
    float* input_gradient = nullptr;  // += the gradient with respect to the input, laid out as the input
};

// Winograd's minimal filtering F(m x m, r x r): a tile of m x m outputs of an r x r kernel is computed at once.
enum class WinogradAlgorithm { none, f2x3, f4x3, f2x5, f4x5 };

// Tiles of one map, NHWC, and their transforms: a matrix (tile, channel) for each position, which is a number of a
// transformed tile. With f2x3, tiles of 2 x 2 outputs read 4 x 4 pixels, which become 16 positions.
struct WinogradTiles {
    WinogradAlgorithm algorithm = WinogradAlgorithm::none;
    int64_t tiles = 0, channels = 0;
    float* map = nullptr;  // only read by the transforms from it
    const int64_t* offsets = nullptr;  // offset of each tile's first pixel
    const int64_t* inside = nullptr;  // (tiles, 2): rows and columns of a tile that lie within the map
    int64_t row = 0, pixel = 0;       // offsets to the next row and to the next pixel of the map
    float* transformed = nullptr;     // only read by the transforms to the map
    int64_t position_step = 0, tile_step = 0;  // channels fill whole registers; lanes after the last are undefined
    const float* bias = nullptr;
    bool relu = false;
    Fetch fetch = {};  // by `winograd_output_backward`, for each tile
};

// One panel of weights, rows (kernel row, kernel column, channel), and its matrices (position, channel, panel_width).
struct WinogradWeights {
    WinogradAlgorithm algorithm = WinogradAlgorithm::none;
    int64_t channels = 0, columns = 0;  // columns: at most panel_width
    float* rows = nullptr;              // only read by winograd_weights
    float* transformed = nullptr;       // only read by winograd_weights_backward
    int64_t position_step = 0;          // from one matrix to the next: channels x panel_width or more
};

// Cells of a 3 x 3 convolution pooled 2 x 2, computed by F(2 x 2, 3 x 3): see winograd.cpp.
struct WinogradCells {
    const float* products = nullptr;  // (16, cells, panel_width)
    int64_t cells = 0, columns = 0;   // columns: at most panel_width
    const float* bias = nullptr;
    bool relu = false;
    float* output = nullptr;
    const int64_t* output_offsets = nullptr;
    int32_t* winners = nullptr;  // (cells, winner_row), or null
    int64_t winner_row = 0;
};

// A product of bfloat16 numbers with float32 sums, for all panels of columns. Rows of A come in runs of evenly spaced
// rows, as the pixels of a map come in rows:
//
//     C[r, m, n] = sum over q < segments, k < length of  A[r a_run + m a_row + a_segments[q] + k] B[q, k, n]
//
// The other fields are as in Product. A segment is read up to the end of its last step of bfloat16_step numbers, and a
// run up to bfloat16_rows rows beyond its end. Those are multiplied by zeros, so they must exist and be finite.
struct Bfloat16Product {
    const uint16_t* a = nullptr;
    int64_t a_row = 0, a_run = 0;
    const int64_t* a_segments = nullptr;
    int64_t segments = 1, length = 0;
    const uint16_t* b = nullptr;  // panels of (segment, pair of rows, panel_width, 2), segments padded to whole steps
    int64_t b_panel = 0;          // offset to the next panel
    int64_t runs = 1, rows = 0;   // rows: of a run
    int64_t columns = 0;
    float* c = nullptr;
    const int64_t* c_rows = nullptr;  // (runs, rows); a row with a negative offset is not stored
    int64_t c_panel = 0;              // offset to the next panel of C and of the mask
    Finish finish = Finish::store;
    const float* bias = nullptr;
    int64_t bias_panel = 0;
    const float* mask = nullptr;
    const int64_t* mask_rows = nullptr;
};

constexpr int64_t bfloat16_rows = 16;  // rows of A in a tile
constexpr int64_t bfloat16_step = 32;  // terms of a sum that one instruction adds

// Rounds up to whole steps.
constexpr int64_t bfloat16_padded(int64_t length) { return (length + bfloat16_step - 1) / bfloat16_step * bfloat16_step; }

// Bilinear resampling: pixel (y, x) of `output` is the source, which is zero beyond its border, at
//     row = rows[0] + rows[1] y + rows[2] x + strength down[y, x]
//     column = columns[0] + columns[1] y + columns[2] x + strength right[y, x]
struct Resampling {
    const uint8_t* framed = nullptr;  // (height + 2, width + 2, channels): the source, padded by zeros
    uint32_t* corners = nullptr;      // scratch: each pixel and three neighbours, (height + 1, width + 2, channels)
    int64_t height = 0, width = 0, channels = 0;
    double rows[3] = {}, columns[3] = {};
    const float *down = nullptr, *right = nullptr;  // (height, width) or null; read to the end of an augmentation_block
    float strength = 0;
    float* output = nullptr;  // (height, width, channels), followed by an augmentation_block that is overwritten
};

enum class OptimizerKind { adam, sgd };

// The factors of one optimizer step; each kind reads those that it needs.
struct OptimizerStep {
    OptimizerKind kind = OptimizerKind::adam;
    float rate = 0;  // the learning rate, with Adam's bias correction
    float kept = 1;  // the share of each weight that decay leaves
    float one_minus_beta_1 = 0, one_minus_beta_2 = 0, epsilon = 0;
    float momentum = 0;
    bool nesterov = false;
    bool kernels_alone_decay = false;  // no weight decay for biases, scales, shifts and slopes
};

// Maps of some images, each (pixels, channels) without padding. The first numbers of two images lie `x_step` apart, and
// `dy_step` in the gradient.
struct Maps {
    int64_t images = 1, pixels = 0, channels = 0;
    int64_t x_step = 0, dy_step = 0;
};

// Factors by channel of the backward pass of batch normalisation: see combine_channels.
struct ChannelFactors {
    const float* by_gradient = nullptr;
    const float* by_value = nullptr;
    const float* constant = nullptr;
};

constexpr int64_t augmentation_block = 32;  // numbers or pixels that augmentation computes at once
constexpr int64_t winners_block = 256;  // cells whose winners are listed at once: the list stays in cache
constexpr int64_t marked_cells = 32;    // cells whose winners are marked before the marks are read
// The numbers of a cell's marks: for each 32 filters and each of its four pixels a bit a filter, set if the pixel won.
constexpr int64_t marks_size(int64_t filters) { return (filters + 31) / 32 * 4; }

struct Kernels {
    const char* name;
    int64_t vector_width;  // floats in a register
    int64_t panel_width;   // columns of a product that a panel holds: two registers

    void (*multiply)(const Product&);
    void (*pool)(const PoolingImage&), (*pool_backward)(const PoolingImage&);
    void (*average)(const PoolingImage&), (*average_backward)(const PoolingImage&);
    void (*depthwise)(const DepthwiseImage&), (*depthwise_kernel)(const DepthwiseImage&);
    void (*depthwise_input)(const DepthwiseImage&);

    // Writes the order of the cells and returns the number of live ones.
    int64_t (*find_live_cells)(const CellSearch&);
    // The kernel gradient with vectors along filters: best if a kernel row reads few numbers. `kernel` has a panel
    // (kernel rows x run, panel_width) for each panel_width filters, with the bias as its last row.
    void (*winners_kernel_by_filters)(const WinnersImage&);
    // The kernel gradient with vectors along kernel rows; `kernel` is (filters, kernel rows, run rounded up to vector_width).
    void (*winners_kernel_by_runs)(const WinnersImage&);
    // The input gradient for kernels 3 x 3 or 5 x 5 of stride 1, pooled 2 x 2.
    void (*winners_input)(const WinnersImage&);

    // out[r * out_row + i] = bytes[r * length + i] * scale + offset
    void (*normalise)(const uint8_t* bytes, int64_t rows, int64_t length, float scale, float offset, float* out,
                      int64_t out_row);
    // Updates weights and moments; see optimizers.cpp.
    void (*take_step)(float* weights, float* m, float* v, const float* gradient, int64_t count, const OptimizerStep&);
    // average[i] += (values[i] - average[i]) * rate
    void (*approach)(float* average, const float* values, int64_t count, float rate);
    void (*multiply_by)(float* values, int64_t count, float factor);
    double (*sum_of_squares)(const float* values, int64_t count);
    // Rounds each column of (rows, panel_width) to k step with an integer |k| <= highest. The step of a column is
    // step_of_rms times its root mean square.
    void (*round_columns)(const float* from, int64_t rows, int64_t highest, double step_of_rms, float* to);
    // The largest absolute value, or NaN if there is one.
    float (*largest_size)(const float* values, int64_t count);
    // to = from + values factor, where `to` may be `from`; returns largest_size of `to`.
    float (*add_scaled)(float* to, const float* from, const float* values, float factor, int64_t count);
    // Returns the cross-entropy of softmax(logits) and writes gradient = (probabilities - target) * scale. The target is
    // (1 - smoothing) one-hot + smoothing / classes.
    double (*cross_entropy)(const float* logits, int64_t classes, int64_t label, float smoothing, float scale,
                            float* gradient, bool* correct);
    void (*softmax)(const float* logits, int64_t classes, float* probabilities);
    void (*add)(float* sum, const float* values, int64_t count);
    // By channel: sums[c] += the sum over images and pixels of x, of (x - mean)^2, or of dy; products[c] += that of
    // dy (x - mean).
    void (*channel_sums)(const float* x, const Maps&, float* sums);
    void (*channel_squares)(const float* x, const Maps&, const float* means, float* sums);
    void (*channel_products)(const float* x, const float* dy, const Maps&, const float* means, float* products, float* sums);
    // y = x scale + shift, then max(., 0) if `relu`, for `count` numbers; the factors repeat after `period` numbers: after
    // all channels, or after as many pixels as fill whole registers.
    void (*scale_channels)(const float* x, int64_t count, int64_t period, const float* scale, const float* shift, bool relu,
                           float* y);
    // dx = dy by_gradient + x by_value + constant
    void (*combine_channels)(const float* x, const float* dy, int64_t count, int64_t period, const ChannelFactors&,
                             float* dx);
    // y[i] = f(x[i]), and dx[i] = dy[i] f'(x[i]); both may read beyond the end, as products do
    void (*activate)(Activation, float slope, const float* x, int64_t count, float* y);
    void (*activate_backward)(Activation, float slope, const float* x, const float* dy, int64_t count, float* dx);
    // The same with a slope for each number, f(x) = x > 0 ? x : slope x, and sums[i] += dy[i] min(x[i], 0)
    void (*prelu)(const float* x, const float* slopes, int64_t count, float* y);
    void (*prelu_backward)(const float* x, const float* dy, const float* slopes, int64_t count, float* dx, float* sums);
    // y[i] = 0 if number first + i of the sequence `start` is among `dropped` of 2^24, else x[i] / (1 - dropped / 2^24)
    void (*dropout)(uint64_t start, int64_t first, int64_t dropped, const float* x, int64_t count, float* y);
    // Two random numbers from each of the first `count` of the sequence `start`: uniform in [-1, 1), or normal.
    void (*even_pairs)(uint64_t start, int64_t count, float* first, float* second);
    void (*normal_pairs)(uint64_t start, int64_t count, float* first, float* second);
    // to[i] = taps[0] from[i] + sum over 1 <= k <= radius of taps[k] (from[i - k step] + from[i + k step]). Reads to the end
    // of an augmentation_block, and writes zeros there.
    void (*smooth)(const float* from, int64_t step, const float* taps, int64_t radius, int64_t count, float* to);
    void (*resample)(const Resampling&);
    // bytes[i] = values[i] factor + addend + noise[i] deviation (noise may be null), in [0, 255] and rounded, halves up
    void (*to_bytes)(const float* values, int64_t count, float factor, float addend, const float* noise, float deviation,
                     uint8_t* bytes);
    // to[i] = mask[i] > 0 ? from[i] : 0; a null mask keeps everything
    void (*copy_where_positive)(float* to, const float* from, const float* mask, int64_t count);
    // to[c * to_row + r] = from[r * from_row + c]
    void (*transpose)(const float* from, int64_t from_row, float* to, int64_t to_row, int64_t rows, int64_t columns);
    // Multiplies and adds in registers, to measure the peak, and returns the number of operations. `numbers` holds
    // factor, addend and start, and receives the result, so that the compiler cannot drop the work.
    double (*multiply_add)(int64_t steps, float* numbers);

    // The Winograd transforms, each with its transpose for the backward pass. ^T is a transpose.
    void (*winograd_input)(const WinogradTiles&);            // transformed = B^T map B, of the pixels that a tile reads
    void (*winograd_input_backward)(const WinogradTiles&);   // map += B transformed B^T
    void (*winograd_output)(const WinogradTiles&);           // map = A^T transformed A + bias, and relu
    void (*winograd_output_backward)(const WinogradTiles&);  // transformed = A map A^T, of a tile's outputs
    void (*winograd_weights)(const WinogradWeights&);           // transformed = G rows G^T
    void (*winograd_weights_backward)(const WinogradWeights&);  // rows += G^T transformed G
    void (*winograd_pool)(const WinogradCells&);  // transforms f2x3's `products` to `output` and `winners`

    // Null in the page, which does not train with bfloat16.
    void (*multiply_bfloat16)(const Bfloat16Product&) = nullptr;
    void (*round_to_bfloat16)(const float* from, int64_t count, uint16_t* to) = nullptr;
    // Writes a segment of a panel of B: rows of panel_width numbers at from + rows[k], interleaved in pairs. A row with a
    // negative offset is zero, as are those up to the end of the last step.
    void (*pair_rows)(const float* from, const int64_t* rows, int64_t count, uint16_t* to) = nullptr;
    // Rounds and transposes weights (count, panel_width) to `pairs` rows (pair of columns, panel_width, 2) of a panel.
    void (*transpose_rows)(const float* from, int64_t count, int64_t pairs, uint16_t* to) = nullptr;
    // Rounds and transposes a map: to[c * to_row + p] = from[offsets[p] + c]. An odd last pixel is followed by a zero.
    void (*by_channels)(const float* from, const int64_t* offsets, int64_t count, int64_t channels, uint16_t* to,
                        int64_t to_row) = nullptr;
};

}  // namespace convscope
