/* An activation: table[x + 128] for each integer; y may be x. */
static inline void PREFIX_look_up(const int8_t *x, int32_t size, const int8_t *table, int8_t *y)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = table[x[i] + 128];
    }
}
