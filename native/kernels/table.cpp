// The table of kernels of the instruction set for which this file is compiled. The order is that of struct Kernels.
#include "vector.hpp"

// Makes text of the name that a macro stands for. Two macros: the first has its argument replaced, the second would
// not.
#define CONVSCOPE_TEXT(name) CONVSCOPE_TEXT_OF(name)
#define CONVSCOPE_TEXT_OF(name) #name

namespace convscope::CONVSCOPE_ISA {

extern const Kernels kernels;  // without it a const is seen in this file alone
const Kernels kernels = {
    .name = CONVSCOPE_TEXT(CONVSCOPE_ISA), .vector_width = width, .panel_width = panel,
    .multiply = multiply,
    .pool = pool, .pool_backward = pool_backward, .average = average, .average_backward = average_backward,
    .depthwise = depthwise, .depthwise_kernel = depthwise_kernel, .depthwise_input = depthwise_input,
    .find_live_cells = find_live_cells,
    .winners_kernel_by_filters = winners_kernel_by_filters, .winners_kernel_by_runs = winners_kernel_by_runs,
    .winners_input = winners_input,
    .normalise = normalise,
    .take_step = take_step, .approach = approach,
    .multiply_by = multiply_by, .sum_of_squares = sum_of_squares,
    .round_columns = round_columns,
    .largest_size = largest_size, .add_scaled = add_scaled,
    .cross_entropy = cross_entropy, .softmax = softmax,
    .add = add,
    .channel_sums = channel_sums, .channel_squares = channel_squares, .channel_products = channel_products,
    .scale_channels = scale_channels, .combine_channels = combine_channels,
    .activate = activate, .activate_backward = activate_backward, .prelu = prelu, .prelu_backward = prelu_backward,
    .dropout = dropout,
    .even_pairs = even_pairs, .normal_pairs = normal_pairs,
    .smooth = smooth, .resample = resample, .to_bytes = to_bytes,
    .copy_where_positive = copy_where_positive, .transpose = transpose,
    .multiply_add = multiply_add,
    .winograd_input = winograd_input, .winograd_input_backward = winograd_input_backward,
    .winograd_output = winograd_output, .winograd_output_backward = winograd_output_backward,
    .winograd_weights = winograd_weights, .winograd_weights_backward = winograd_weights_backward,
    .winograd_pool = winograd_pool,
#if !defined(CONVSCOPE_NO_BFLOAT16)  // without them these five are null
    .multiply_bfloat16 = multiply_bfloat16, .round_to_bfloat16 = round_to_bfloat16,
    .pair_rows = pair_rows, .transpose_rows = transpose_rows, .by_channels = by_channels,
#endif
};

}  // namespace convscope::CONVSCOPE_ISA
