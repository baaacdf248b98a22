// SplitMix64: random numbers that can be computed in any order.
// Source: Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators".
#pragma once

#include <stdint.h>

namespace convscope {

// Returns number `number` of the sequence `start`. Static: each file has its own, compiled for its instruction set.
static inline uint64_t split_mix(uint64_t start, int64_t number) {
    uint64_t bits = start + static_cast<uint64_t>(number + 1) * 0x9e3779b97f4a7c15u;  // 2^64 / golden ratio
    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9u;
    bits = (bits ^ bits >> 27) * 0x94d049bb133111ebu;
    return bits ^ bits >> 31;
}

}  // namespace convscope
