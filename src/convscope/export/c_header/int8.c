/* The functions of exported headers. `c_text.read_function` copies one from its line "//// NAME" up to the next such
   line, and PREFIX becomes the name that the user chose. `int8_calls` writes the calls. */

//// add
/* The sum of two values, each brought to the steps of the result; y may be either of them. */
static inline void PREFIX_add(
    const int8_t *a, int32_t a_zero, int32_t a_multiplier, const int8_t *b, int32_t b_zero, int32_t b_multiplier,
    int32_t bias, int32_t shift, int32_t size, int8_t *y, int32_t y_zero)
{
    for (int32_t i = 0; i < size; i++) {
        const int32_t sum = (a[i] - a_zero) * a_multiplier + (b[i] - b_zero) * b_multiplier + bias;
        y[i] = PREFIX_requantize(sum, 1, shift, y_zero);
    }
}

//// average_map
/* The mean of each whole map: y[c] = requantize(bias + sum over all pixels of (x[c] - x_zero)); the multiplier divides by
   their number. May work in place. */
static inline void PREFIX_average_map(
    const int8_t *x, int32_t pixels, int32_t channels, int32_t x_zero, int32_t bias, int32_t multiplier,
    int32_t shift, int8_t *y, int32_t y_zero)
{
    for (int32_t c = 0; c < channels; c++) {
        int32_t sum = bias;
        for (int32_t i = 0; i < pixels; i++) {
            sum += x[i * channels + c] - x_zero;
        }
        y[c] = PREFIX_requantize(sum, multiplier, shift, y_zero);
    }
}

//// average_pool
/* The mean of each window, halves rounded up; pixels outside the map are not counted. Summed from -128, so that nothing
   is below zero. May work in place where top and left are 0. */
static inline void PREFIX_average_pool(
    const int8_t *x, int32_t height, int32_t width, int32_t channels, int32_t rows, int32_t columns,
    int32_t row_stride, int32_t column_stride, int32_t top, int32_t left, int8_t *y, int32_t y_height,
    int32_t y_width)
{
    for (int32_t i = 0; i < y_height; i++) {
        for (int32_t j = 0; j < y_width; j++) {
            for (int32_t c = 0; c < channels; c++) {
                int32_t sum = 0;
                int32_t pixels = 0;
                for (int32_t u = 0; u < rows; u++) {
                    const int32_t row = i * row_stride + u - top;
                    for (int32_t v = 0; v < columns; v++) {
                        const int32_t column = j * column_stride + v - left;
                        if (row >= 0 && row < height && column >= 0 && column < width) {
                            sum += x[(row * width + column) * channels + c] + 128;
                            pixels++;
                        }
                    }
                }
                *y++ = (int8_t)((sum + pixels / 2) / pixels - 128);
            }
        }
    }
}

//// concatenate
/* The channels of a and behind them those of b, pixel by pixel, each brought to the steps of the result. */
static inline void PREFIX_concatenate(
    const int8_t *a, int32_t a_channels, int32_t a_zero, int32_t a_multiplier, int32_t a_bias, const int8_t *b,
    int32_t b_channels, int32_t b_zero, int32_t b_multiplier, int32_t b_bias, int32_t shift, int32_t pixels, int8_t *y,
    int32_t y_zero)
{
    for (int32_t i = 0; i < pixels; i++) {
        for (int32_t c = 0; c < a_channels; c++) {
            *y++ = PREFIX_requantize((a[i * a_channels + c] - a_zero) * a_multiplier + a_bias, 1, shift, y_zero);
        }
        for (int32_t c = 0; c < b_channels; c++) {
            *y++ = PREFIX_requantize((b[i * b_channels + c] - b_zero) * b_multiplier + b_bias, 1, shift, y_zero);
        }
    }
}

//// conv2d
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
                        const int32_t first = ((f * rows + u) * columns + v) * channels;
                        for (int32_t c = 0; c < channels; c++) {
                            sum += (pixel[c] - x_zero) * kernel[first + c];
                        }
                    }
                }
                *y++ = PREFIX_requantize(sum, multiplier[f], shift[f], y_zero);
            }
        }
    }
}

//// dense
/* y[k] = requantize(bias[k] + sum over i of (x[i] - x_zero) * kernel[k, i]). */
static inline void PREFIX_dense(
    const int8_t *x, int32_t inputs, int32_t x_zero, const int8_t *kernel, const int32_t *bias,
    const int32_t *multiplier, const uint8_t *shift, int8_t *y, int32_t units, int32_t y_zero)
{
    for (int32_t k = 0; k < units; k++) {
        int32_t sum = bias[k];
        for (int32_t i = 0; i < inputs; i++) {
            sum += (x[i] - x_zero) * kernel[k * inputs + i];
        }
        y[k] = PREFIX_requantize(sum, multiplier[k], shift[k], y_zero);
    }
}

//// dense_logits
/* The last layer: logits[k] = scale[k] * (bias[k] + sum over i of (x[i] - x_zero) * kernel[k, i]); nothing is rounded to 8
   bits here. */
static inline void PREFIX_dense_logits(
    const int8_t *x, int32_t inputs, int32_t x_zero, const int8_t *kernel, const int32_t *bias, const float *scale,
    float *logits, int32_t units)
{
    for (int32_t k = 0; k < units; k++) {
        int32_t sum = bias[k];
        for (int32_t i = 0; i < inputs; i++) {
            sum += (x[i] - x_zero) * kernel[k * inputs + i];
        }
        logits[k] = (float)sum * scale[k];
    }
}

//// depthwise
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

//// grouped_conv2d
/* As conv2d, but for the pixels and channels that a window reads: its rows and columns lie row_dilation and
   column_dilation apart, and of the filters, which are so many groups, each reads the channels of its own group:
   kernel[f, u, v, c] has channels / groups of them. */
static inline void PREFIX_grouped_conv2d(
    const int8_t *x, int32_t height, int32_t width, int32_t channels, int32_t x_zero, const int8_t *kernel,
    const int32_t *bias, const int32_t *multiplier, const uint8_t *shift, int32_t rows, int32_t columns,
    int32_t row_stride, int32_t column_stride, int32_t row_dilation, int32_t column_dilation, int32_t top,
    int32_t left, int8_t *y, int32_t y_height, int32_t y_width, int32_t filters, int32_t groups, int32_t y_zero)
{
    const int32_t size = channels / groups;
    for (int32_t i = 0; i < y_height; i++) {
        for (int32_t j = 0; j < y_width; j++) {
            for (int32_t f = 0; f < filters; f++) {
                int32_t sum = bias[f];
                for (int32_t u = 0; u < rows; u++) {
                    const int32_t row = i * row_stride + u * row_dilation - top;
                    if (row < 0 || row >= height) {
                        continue;
                    }
                    for (int32_t v = 0; v < columns; v++) {
                        const int32_t column = j * column_stride + v * column_dilation - left;
                        if (column < 0 || column >= width) {
                            continue;
                        }
                        const int8_t *pixel = x + (row * width + column) * channels + f / (filters / groups) * size;
                        const int32_t first = ((f * rows + u) * columns + v) * size;
                        for (int32_t c = 0; c < size; c++) {
                            sum += (pixel[c] - x_zero) * kernel[first + c];
                        }
                    }
                }
                *y++ = PREFIX_requantize(sum, multiplier[f], shift[f], y_zero);
            }
        }
    }
}

//// look_up
/* An activation: table[x + 128] for each integer; y may be x. */
static inline void PREFIX_look_up(const int8_t *x, int32_t size, const int8_t *table, int8_t *y)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = table[x[i] + 128];
    }
}

//// max_pool
/* The largest integer of each window; pixels outside the map are left out.
   May work in place where top and left are 0. */
static inline void PREFIX_max_pool(
    const int8_t *x, int32_t height, int32_t width, int32_t channels, int32_t rows, int32_t columns,
    int32_t row_stride, int32_t column_stride, int32_t top, int32_t left, int8_t *y, int32_t y_height,
    int32_t y_width)
{
    for (int32_t i = 0; i < y_height; i++) {
        for (int32_t j = 0; j < y_width; j++) {
            for (int32_t c = 0; c < channels; c++) {
                int8_t largest = -128;
                for (int32_t u = 0; u < rows; u++) {
                    const int32_t row = i * row_stride + u - top;
                    for (int32_t v = 0; v < columns; v++) {
                        const int32_t column = j * column_stride + v - left;
                        if (row >= 0 && row < height && column >= 0 && column < width) {
                            const int8_t value = x[(row * width + column) * channels + c];
                            largest = value > largest ? value : largest;
                        }
                    }
                }
                *y++ = largest;
            }
        }
    }
}

//// multiply
/* Each of the pixels of a times b, number by number; the multiplier brings the products to the steps of the result. */
static inline void PREFIX_multiply(
    const int8_t *a, int32_t a_zero, const int8_t *b, int32_t b_zero, int32_t pixels, int32_t size, int32_t multiplier,
    int32_t shift, int8_t *y, int32_t y_zero)
{
    for (int32_t i = 0; i < pixels; i++) {
        for (int32_t c = 0; c < size; c++) {
            *y++ = PREFIX_requantize((*a++ - a_zero) * (b[c] - b_zero), multiplier, shift, y_zero);
        }
    }
}

//// pad
/* The map x with the integer of zero around it. */
static inline void PREFIX_pad(
    const int8_t *x, int32_t height, int32_t width, int32_t channels, int32_t top, int32_t left, int8_t *y,
    int32_t y_height, int32_t y_width, int8_t zero)
{
    for (int32_t i = -top; i < y_height - top; i++) {
        for (int32_t j = -left; j < y_width - left; j++) {
            for (int32_t c = 0; c < channels; c++) {
                const int inside = i >= 0 && i < height && j >= 0 && j < width;
                *y++ = inside ? x[(i * width + j) * channels + c] : zero;
            }
        }
    }
}

//// read_image
/* A byte becomes the integer byte - 128. */
static inline void PREFIX_read_image(const uint8_t *image, int32_t size, int8_t *y)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = (int8_t)(image[i] - 128);
    }
}

//// read_image_by_table
/* A byte becomes the integer that the table gives for it. */
static inline void PREFIX_read_image_by_table(
    const uint8_t *image, int32_t size, const int8_t *table, int8_t *y)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = table[image[i]];
    }
}

//// requantize
/* zero + floor(sum * multiplier / 2^shift + 1/2), kept within -128 to 127. ~(~y >> shift) is the floor below zero, where
   C leaves a plain shift to the compiler. */
static inline int8_t PREFIX_requantize(int32_t sum, int32_t multiplier, int32_t shift, int32_t zero)
{
    int64_t y = (int64_t)sum * multiplier + ((int64_t)1 << (shift - 1));
    y = (y < 0 ? ~(~y >> shift) : y >> shift) + zero;
    return (int8_t)(y < -128 ? -128 : y > 127 ? 127 : y);
}

//// round
/* zero + floor(sum + 1/2), kept within -128 to 127. Counted from -128, so that a conversion to int rounds down. */
static inline int8_t PREFIX_round(float sum, int32_t zero)
{
    const float y = sum + 0.5f + (float)(zero + 128);
    return (int8_t)((int32_t)(y > 0.0f ? y < 255.0f ? y : 255.0f : 0.0f) - 128);
}

//// to_logits
/* Integers as the numbers that they stand for. */
static inline void PREFIX_to_logits(
    const int8_t *x, int32_t size, int32_t zero, float scale, float residue, float *logits)
{
    for (int32_t i = 0; i < size; i++) {
        logits[i] = (float)(x[i] - zero) * scale + residue;
    }
}

//// unpack_2
/* Weight i of a kernel in 2 bits, -1 to 1: four to a byte, the first in the lowest bits. */
static inline int32_t PREFIX_unpack_2(const uint8_t *kernel, int32_t i)
{
    return ((kernel[i >> 2] >> 2 * (i & 3)) & 3) - 1;
}

//// unpack_4
/* Weight i of a kernel in 4 bits, -7 to 7: two to a byte, the first in the lower bits. */
static inline int32_t PREFIX_unpack_4(const uint8_t *kernel, int32_t i)
{
    return ((kernel[i >> 1] >> 4 * (i & 1)) & 15) - 7;
}
