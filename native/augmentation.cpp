#include "augmentation.hpp"

#include <cstring>

namespace convscope {

namespace {

enum Slot : uint64_t { shift_down, shift_right };

// A whole number from -most to most, each with equal chance but for one part in 2^32.
int64_t between(uint64_t bits, int64_t most) {
    return static_cast<int64_t>((bits >> 32) * static_cast<uint64_t>(2 * most + 1) >> 32) - most;
}

}  // namespace

// SplitMix64, entered at any place: its state grows by a constant from number to number.
// Source: Steele, Lea and Flood 2014, with the constants of Vigna's implementation.
uint64_t random_bits(uint64_t key, uint64_t position, uint64_t slot) {
    uint64_t z = key + ((position << 32 | slot) + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

void augment(const Augmentation& augmentation, Shape shape, int64_t position, const uint8_t* from, uint8_t* to) {
    const auto place = static_cast<uint64_t>(position);
    const int64_t down = between(random_bits(augmentation.key, place, shift_down), augmentation.shift);
    const int64_t right = between(random_bits(augmentation.key, place, shift_right), augmentation.shift);
    const int64_t row = shape.width * shape.channels, moved = right * shape.channels;
    const int64_t kept = row - (moved < 0 ? -moved : moved);
    std::memset(to, 0, static_cast<std::size_t>(shape.size()));
    for (int64_t y = 0; y < shape.height && kept > 0; ++y) {
        const int64_t source = y - down;
        if (source < 0 || source >= shape.height) continue;
        std::memcpy(to + y * row + (moved > 0 ? moved : 0), from + source * row - (moved < 0 ? moved : 0),
                    static_cast<std::size_t>(kept));
    }
}

}  // namespace convscope
