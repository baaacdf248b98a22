/* y[i, j, f] = requantize(bias[f] + sum over u, v, c of (x[i * row_stride + u - top, j * column_stride + v - left, c] -
   x_zero) * kernel[f, u, v, c]). Pixels outside the map are zeros. */
static inline void PREFIX_conv2d(
    const int8_t *x, int32_t height, int32_t width, int32_t channels, int32_t x_zero, const int8_t *kernel,
    const int32_t *bias, const int32_t *multiplier, const uint8_t *shift, int32_t rows, int32_t columns,
    int32_t row_stride, int32_t column_stride, int32_t top, int32_t left, int8_t *y, int32_t y_height,
    int32_t y_width, int32_t filters, int32_t y_zero)
{
    for (int32_t i = 0; i < y_height; i++) {
        for (int32_t j = 0; j < y_width; j++) {
            for (int32_t f = 0; f < filters; f++) {
                int32_t sum = bias[f];
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
                        const int8_t *pixel = x + (row * width + column) * channels;
                        const int8_t *weight = kernel + ((f * rows + u) * columns + v) * channels;
                        for (int32_t c = 0; c < channels; c++) {
                            sum += (pixel[c] - x_zero) * weight[c];
                        }
                    }
                }
                *y++ = PREFIX_requantize(sum, multiplier[f], shift[f], y_zero);
            }
        }
    }
}
