/* The functions of exported headers. `c_text.read_function` copies one from its line "//// NAME" up to the next such
   line, and PREFIX becomes the name that the user chose. `float32_calls` writes the calls. */

//// add
/* The sum of two values; y may be either of them. */
static inline void PREFIX_add(const float *a, const float *b, int32_t size, float *y)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = a[i] + b[i];
    }
}

//// average_pool
/* The mean of each window, summed by rows; pixels outside the map are not counted. May work in place where top and left
   are 0. */
static inline void PREFIX_average_pool(
    const float *x, int32_t height, int32_t width, int32_t channels, int32_t rows, int32_t columns,
    int32_t row_stride, int32_t column_stride, int32_t top, int32_t left, float *y, int32_t y_height,
    int32_t y_width)
{
    for (int32_t i = 0; i < y_height; i++) {
        for (int32_t j = 0; j < y_width; j++) {
            for (int32_t c = 0; c < channels; c++) {
                float sum = 0.0f;
                int32_t pixels = 0;
                for (int32_t u = 0; u < rows; u++) {
                    const int32_t row = i * row_stride + u - top;
                    for (int32_t v = 0; v < columns; v++) {
                        const int32_t column = j * column_stride + v - left;
                        if (row >= 0 && row < height && column >= 0 && column < width) {
                            sum += x[(row * width + column) * channels + c];
                            pixels++;
                        }
                    }
                }
                *y++ = sum / (float)pixels;
            }
        }
    }
}

//// concatenate
/* The channels of a and behind them those of b, pixel by pixel. */
static inline void PREFIX_concatenate(
    const float *a, int32_t a_channels, const float *b, int32_t b_channels, int32_t pixels, float *y)
{
    for (int32_t i = 0; i < pixels; i++) {
        for (int32_t c = 0; c < a_channels; c++) {
            *y++ = a[i * a_channels + c];
        }
        for (int32_t c = 0; c < b_channels; c++) {
            *y++ = b[i * b_channels + c];
        }
    }
}

//// conv2d
/* y[i, j, f] = bias[f] + sum over u, v, c of x[i * row_stride + u - top, j * column_stride + v - left, c] *
   kernel[f, u, v, c], added in this order: the bias, then window rows, window columns, channels. Pixels outside the map
   are left out. */
static inline void PREFIX_conv2d(
    const float *x, int32_t height, int32_t width, int32_t channels, const float *kernel, const float *bias,
    int32_t rows, int32_t columns, int32_t row_stride, int32_t column_stride, int32_t top, int32_t left, float *y,
    int32_t y_height, int32_t y_width, int32_t filters)
{
    for (int32_t i = 0; i < y_height; i++) {
        for (int32_t j = 0; j < y_width; j++) {
            for (int32_t f = 0; f < filters; f++) {
                float sum = bias[f];
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
                        const float *pixel = x + (row * width + column) * channels;
                        const float *weight = kernel + ((f * rows + u) * columns + v) * channels;
                        for (int32_t c = 0; c < channels; c++) {
                            sum += pixel[c] * weight[c];
                        }
                    }
                }
                *y++ = sum;
            }
        }
    }
}

//// copy
static inline void PREFIX_copy(const float *x, int32_t size, float *y)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = x[i];
    }
}

//// dense
/* y[k] = bias[k] + sum over i of x[i] * kernel[k, i], added in this order. */
static inline void PREFIX_dense(
    const float *x, int32_t inputs, const float *kernel, const float *bias, float *y, int32_t units)
{
    for (int32_t k = 0; k < units; k++) {
        float sum = bias[k];
        for (int32_t i = 0; i < inputs; i++) {
            sum += x[i] * kernel[k * inputs + i];
        }
        y[k] = sum;
    }
}

//// depthwise
/* Output channel o = c * multiplicity + m: y[i, j, o] = bias[o] + sum over u, v of
   x[i * row_stride + u - top, j * column_stride + v - left, c] * kernel[u, v, o], added in this order. */
static inline void PREFIX_depthwise(
    const float *x, int32_t height, int32_t width, int32_t channels, const float *kernel, const float *bias,
    int32_t rows, int32_t columns, int32_t row_stride, int32_t column_stride, int32_t top, int32_t left, float *y,
    int32_t y_height, int32_t y_width, int32_t multiplicity)
{
    for (int32_t i = 0; i < y_height; i++) {
        for (int32_t j = 0; j < y_width; j++) {
            for (int32_t o = 0; o < channels * multiplicity; o++) {
                float sum = bias[o];
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
                        sum += x[(row * width + column) * channels + o / multiplicity] *
                               kernel[(u * columns + v) * channels * multiplicity + o];
                    }
                }
                *y++ = sum;
            }
        }
    }
}

//// elu
static inline void PREFIX_elu(float *y, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = y[i] > 0.0f ? y[i] : expm1f(y[i]);
    }
}

//// gelu
/* y * (1 + erf(y / sqrt(2))) / 2, written so that no digits are lost below zero. */
static inline void PREFIX_gelu(float *y, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = 0.5f * y[i] * erfcf(-0.70710678f * y[i]);
    }
}

//// grouped_conv2d
/* As conv2d, but for the pixels and channels that a window reads: its rows and columns lie row_dilation and
   column_dilation apart, and of the filters, which are so many groups, each reads the channels of its own group:
   kernel[f, u, v, c] has channels / groups of them. */
static inline void PREFIX_grouped_conv2d(
    const float *x, int32_t height, int32_t width, int32_t channels, const float *kernel, const float *bias,
    int32_t rows, int32_t columns, int32_t row_stride, int32_t column_stride, int32_t row_dilation,
    int32_t column_dilation, int32_t top, int32_t left, float *y, int32_t y_height, int32_t y_width, int32_t filters,
    int32_t groups)
{
    const int32_t size = channels / groups;
    for (int32_t i = 0; i < y_height; i++) {
        for (int32_t j = 0; j < y_width; j++) {
            for (int32_t f = 0; f < filters; f++) {
                float sum = bias[f];
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
                        const float *pixel = x + (row * width + column) * channels + f / (filters / groups) * size;
                        const float *weight = kernel + ((f * rows + u) * columns + v) * size;
                        for (int32_t c = 0; c < size; c++) {
                            sum += pixel[c] * weight[c];
                        }
                    }
                }
                *y++ = sum;
            }
        }
    }
}

//// hard_sigmoid
/* (y + 3) / 6, kept between 0 and 1. */
static inline void PREFIX_hard_sigmoid(float *y, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        const float gate = y[i] + 3.0f;
        y[i] = (gate < 0.0f ? 0.0f : gate > 6.0f ? 6.0f : gate) / 6.0f;
    }
}

//// hard_silu
/* y * (y + 3) / 6, with y + 3 kept between 0 and 6. */
static inline void PREFIX_hard_silu(float *y, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        const float gate = y[i] + 3.0f;
        y[i] *= (gate < 0.0f ? 0.0f : gate > 6.0f ? 6.0f : gate) / 6.0f;
    }
}

//// leaky_relu
static inline void PREFIX_leaky_relu(float *y, int32_t size, float slope)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = y[i] > 0.0f ? y[i] : slope * y[i];
    }
}

//// max_pool
/* The largest number of each window; pixels outside the map are left out.
   May work in place where top and left are 0. */
static inline void PREFIX_max_pool(
    const float *x, int32_t height, int32_t width, int32_t channels, int32_t rows, int32_t columns,
    int32_t row_stride, int32_t column_stride, int32_t top, int32_t left, float *y, int32_t y_height,
    int32_t y_width)
{
    for (int32_t i = 0; i < y_height; i++) {
        for (int32_t j = 0; j < y_width; j++) {
            for (int32_t c = 0; c < channels; c++) {
                float largest = -INFINITY;
                for (int32_t u = 0; u < rows; u++) {
                    const int32_t row = i * row_stride + u - top;
                    for (int32_t v = 0; v < columns; v++) {
                        const int32_t column = j * column_stride + v - left;
                        if (row >= 0 && row < height && column >= 0 && column < width) {
                            const float value = x[(row * width + column) * channels + c];
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
/* Each of the pixels of a times b, number by number. */
static inline void PREFIX_multiply(const float *a, const float *b, int32_t pixels, int32_t size, float *y)
{
    for (int32_t i = 0; i < pixels; i++) {
        for (int32_t c = 0; c < size; c++) {
            *y++ = *a++ * b[c];
        }
    }
}

//// normalize
/* Each part has so many pixels. Of the numbers of each group of channels of a part, mean and variance become 0 and 1; then
   each channel is scaled and shifted. y may be x. */
static inline void PREFIX_normalize(
    const float *x, int32_t parts, int32_t pixels, int32_t channels, int32_t groups, const float *gamma,
    const float *beta, float epsilon, float *y)
{
    const int32_t size = channels / groups;
    for (int32_t i = 0; i < parts * groups; i++) {
        const int32_t first = i % groups * size;
        const int32_t start = i / groups * pixels * channels + first;
        float mean = 0.0f;
        float variance = 0.0f;
        for (int32_t j = 0; j < pixels * size; j++) {
            mean += x[start + j / size * channels + j % size];
        }
        mean /= (float)(pixels * size);
        for (int32_t j = 0; j < pixels * size; j++) {
            const float distance = x[start + j / size * channels + j % size] - mean;
            variance += distance * distance;
        }
        const float inverse = 1.0f / sqrtf(variance / (float)(pixels * size) + epsilon);
        for (int32_t j = 0; j < pixels * size; j++) {
            const int32_t at = start + j / size * channels + j % size;
            y[at] = (x[at] - mean) * inverse * gamma[first + j % size] + beta[first + j % size];
        }
    }
}

//// pad
/* The map x with zeros around it. */
static inline void PREFIX_pad(
    const float *x, int32_t height, int32_t width, int32_t channels, int32_t top, int32_t left, float *y,
    int32_t y_height, int32_t y_width)
{
    for (int32_t i = -top; i < y_height - top; i++) {
        for (int32_t j = -left; j < y_width - left; j++) {
            for (int32_t c = 0; c < channels; c++) {
                const int inside = i >= 0 && i < height && j >= 0 && j < width;
                *y++ = inside ? x[(i * width + j) * channels + c] : 0.0f;
            }
        }
    }
}

//// read_image
/* A byte becomes the number byte * scale + offset. */
static inline void PREFIX_read_image(
    const uint8_t *image, int32_t size, float scale, float offset, float *y)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = (float)image[i] * scale + offset;
    }
}

//// relu
static inline void PREFIX_relu(float *y, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = y[i] > 0.0f ? y[i] : 0.0f;
    }
}

//// relu6
static inline void PREFIX_relu6(float *y, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = y[i] > 6.0f ? 6.0f : y[i] > 0.0f ? y[i] : 0.0f;
    }
}

//// selu
static inline void PREFIX_selu(float *y, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = y[i] > 0.0f ? 1.05070099f * y[i] : 1.75809934f * expm1f(y[i]);
    }
}

//// sigmoid
static inline void PREFIX_sigmoid(float *y, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = 1.0f / (1.0f + expf(-y[i]));
    }
}

//// silu
static inline void PREFIX_silu(float *y, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = y[i] / (1.0f + expf(-y[i]));
    }
}

//// soft_voting
/* Logits of which the softmax is the mean of the softmax of the members' logits in x, one member behind the other, plus
   the mean over the members of s[i] = log(sum over k of exp(x[i, k])), which changes no probability. */
static inline void PREFIX_soft_voting(const float *x, int32_t members, float *y, int32_t classes)
{
    float shift = -logf((float)members);
    for (int32_t i = 0; i < members; i++, x += classes) {
        float largest = x[0];
        for (int32_t k = 1; k < classes; k++) {
            largest = x[k] > largest ? x[k] : largest;
        }
        float sum = 0.0f;
        for (int32_t k = 0; k < classes; k++) {
            sum += expf(x[k] - largest);
        }
        const float s = largest + logf(sum);
        shift += s / (float)members;
        for (int32_t k = 0; k < classes; k++) {
            const float a = x[k] - s;
            const float high = i == 0 || a > y[k] ? a : y[k];
            y[k] = i == 0 ? a : high + logf(expf(a - high) + expf(y[k] - high));
        }
    }
    for (int32_t k = 0; k < classes; k++) {
        y[k] += shift;
    }
}

//// tanh
static inline void PREFIX_tanh(float *y, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = tanhf(y[i]);
    }
}
