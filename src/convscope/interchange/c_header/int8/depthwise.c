/* Output channel o = c * multiplicity + m: y[i, j, o] = requantize(bias[o] + sum over u, v of
   (x[i * row_stride + u - top, j * column_stride + v - left, c] - x_zero) * kernel[u, v, o]). */
static inline void PREFIX_depthwise(
    const int8_t *x, int32_t height, int32_t width, int32_t channels, int32_t x_zero, const int8_t *kernel,
    const int32_t *bias, const int32_t *multiplier, const uint8_t *shift, int32_t rows, int32_t columns,
    int32_t row_stride, int32_t column_stride, int32_t top, int32_t left, int8_t *y, int32_t y_height,
    int32_t y_width, int32_t multiplicity, int32_t y_zero)
{
    for (int32_t i = 0; i < y_height; i++) {
        for (int32_t j = 0; j < y_width; j++) {
            for (int32_t o = 0; o < channels * multiplicity; o++) {
                int32_t sum = bias[o];
                for (int32_t u = 0; u < rows; u++) {
                    const int32_t row = i * row_stride + u - top;
                    if (row < 0 || row >= height) {
                        continue;
                    }
                    for (int32_t v = 0; v < columns; v++) {
                        const int32_t column = j * column_stride + v - left;
                        if (column < 0 || column >= width) {
                            continue;
                        }
                        sum += (x[(row * width + column) * channels + o / multiplicity] - x_zero) *
                               kernel[(u * columns + v) * channels * multiplicity + o];
                    }
                }
                *y++ = PREFIX_requantize(sum, multiplier[o], shift[o], y_zero);
            }
        }
    }
}
