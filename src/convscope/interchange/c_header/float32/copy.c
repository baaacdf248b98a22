static inline void PREFIX_copy(const float *x, int32_t size, float *y)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = x[i];
    }
}
