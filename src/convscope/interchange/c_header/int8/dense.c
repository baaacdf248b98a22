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
