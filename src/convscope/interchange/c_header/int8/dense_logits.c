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
