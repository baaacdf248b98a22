/* Integers as the numbers that they stand for. */
static inline void PREFIX_to_logits(
    const int8_t *x, int32_t size, int32_t zero, float scale, float residue, float *logits)
{
    for (int32_t i = 0; i < size; i++) {
        logits[i] = (float)(x[i] - zero) * scale + residue;
    }
}
