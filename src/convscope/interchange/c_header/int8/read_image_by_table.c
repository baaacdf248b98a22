/* A byte becomes the integer that the table gives for it. */
static inline void PREFIX_read_image_by_table(
    const uint8_t *image, int32_t size, const int8_t *table, int8_t *y)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = table[image[i]];
    }
}
