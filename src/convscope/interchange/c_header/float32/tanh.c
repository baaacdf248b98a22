static inline void PREFIX_tanh(float *y, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = tanhf(y[i]);
    }
}
