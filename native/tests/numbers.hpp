// Pseudo-random numbers to test with, the same on every machine, so that a failure can be repeated.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "buffer.hpp"

namespace convscope::test {

constexpr float untouched = 12345;  // fills memory that must not be written

// Returns `count` + `slack` zeros. The slack has none of the marks that buffer.hpp writes there, so a test may compare
// or fill the whole buffer.
template <class Element>
Buffer<Element> plain_buffer(int64_t count) {
    return Buffer<Element>(static_cast<std::size_t>(count + slack));
}

// A generator of random numbers. Every test has a seed of its own, chosen arbitrarily.
class Random {
   public:
    explicit Random(uint64_t seed) : state_(seed) {}

    // SplitMix64. Source: Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators".
    uint64_t bits() {
        uint64_t z = state_ += 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    // Returns a number from -1 to 1, a multiple of 2^-20.
    float number() { return static_cast<float>(static_cast<int64_t>(bits() >> 43) - (1 << 20)) / (1 << 20); }
    // Returns an integer from 0 to limit - 1.
    int64_t below(int64_t limit) { return static_cast<int64_t>(bits() % static_cast<uint64_t>(limit)); }
    // Returns a number of either sign with a magnitude from 10^least_power to 10^largest_power.
    float number_of_size(double least_power, double largest_power) {
        const double power = least_power + (largest_power - least_power) * std::fabs(static_cast<double>(number()));
        return static_cast<float>(std::pow(10.0, power)) * (bits() >> 63 ? 1.0f : -1.0f);
    }
    uint8_t byte() { return static_cast<uint8_t>(bits() >> 56); }

    Buffer<float> numbers(int64_t count) {
        Buffer<float> numbers = plain_buffer<float>(count);
        for (int64_t i = 0; i < count; ++i) numbers[static_cast<std::size_t>(i)] = number();
        return numbers;
    }
    std::vector<uint8_t> bytes(int64_t count) {
        std::vector<uint8_t> bytes(static_cast<std::size_t>(count));
        for (uint8_t& value : bytes) value = byte();
        return bytes;
    }

   private:
    uint64_t state_;
};

}  // namespace convscope::test
