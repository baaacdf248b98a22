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
