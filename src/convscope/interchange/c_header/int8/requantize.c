/* zero + floor(sum * multiplier / 2^shift + 1/2), kept within -128 to 127. ~(~y >> shift) is the floor below zero, where
   C leaves a plain shift to the compiler. */
static inline int8_t PREFIX_requantize(int32_t sum, int32_t multiplier, int32_t shift, int32_t zero)
{
    int64_t y = (int64_t)sum * multiplier + ((int64_t)1 << (shift - 1));
    y = (y < 0 ? ~(~y >> shift) : y >> shift) + zero;
    return (int8_t)(y < -128 ? -128 : y > 127 ? 127 : y);
}
