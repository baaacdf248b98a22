// Dropout: which numbers it drops, how many, and that a sequence may be computed in parts.
#include <algorithm>

#include "check.hpp"
#include "numbers.hpp"

namespace convscope::test {
namespace {

constexpr int64_t denominator = 1 << 24;  // a rate is an integer divided by this

}  // namespace

TEST(dropout_uses_the_published_numbers_of_splitmix64) {
    // The first numbers from the state 1234567, listed by Rosetta Code's page "Pseudo-random numbers/Splitmix64".
    const uint64_t published[] = {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
                                  4593380528125082431u, 16408922859458223821u};
    const float unit = 1;
    // Number i is dropped if its upper 24 bits are below the rate's numerator.
    for (int64_t i = 0; i < 5; ++i) {
        const auto upper_bits = static_cast<int64_t>(published[i] >> 40);
        float kept = untouched, dropped = untouched;
        kernels.dropout(1234567, i, upper_bits, &unit, 1, &kept);
        kernels.dropout(1234567, i, upper_bits + 1, &unit, 1, &dropped);
        CHECK(kept > 0);
        CHECK(dropped == 0);
    }
}

TEST(dropout_drops_its_share_and_scales_the_rest) {
    constexpr int64_t count = 100000;
    Random random(41);
    const Buffer<float> x = random.numbers(count);
    for (int64_t dropped :
         {int64_t{0}, int64_t{1}, denominator / 10, denominator / 2, denominator * 9 / 10, denominator - 1}) {
        const uint64_t start = random.bits();
        Buffer<float> y = plain_buffer<float>(count);
        std::fill(y.begin(), y.end(), untouched);
        kernels.dropout(start, 0, dropped, x.data(), count, y.data());
        const double chance = static_cast<double>(dropped) / static_cast<double>(denominator);
        Random sequence(start);
        int64_t zeros = 0;
        for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
            const bool drops = static_cast<int64_t>(sequence.bits() >> 40) < dropped;
            const double wanted = drops ? 0 : static_cast<double>(x[i]) / (1 - chance);
            CHECK_NEAR(static_cast<double>(y[i]), wanted, 2e-7 * std::fabs(wanted));
            zeros += drops;
        }
        for (std::size_t i = count; i < y.size(); ++i) CHECK(y[i] == untouched);
        // Within six standard deviations of a binomial distribution; chance exceeds them once in 5e8 sequences.
        const double spread = std::sqrt(chance * (1 - chance) * count);
        CHECK_NEAR(static_cast<double>(zeros), chance * count, 6 * spread + 1);
    }
}

TEST(dropout_does_not_depend_on_where_its_sequence_is_cut) {
    constexpr int64_t count = 500, dropped = denominator / 3;
    Random random(42);
    const Buffer<float> x = random.numbers(count);
    for (int64_t first : {int64_t{0}, int64_t{7}, (int64_t{1} << 40) + 3}) {
        Buffer<float> together = plain_buffer<float>(count), cut = together;
        kernels.dropout(99, first, dropped, x.data(), count, together.data());
        for (int64_t begin = 0; begin < count;) {
            const int64_t size = std::min(count - begin, random.below(40));
            kernels.dropout(99, first + begin, dropped, x.data() + begin, size, cut.data() + begin);
            begin += size;
        }
        CHECK(cut == together);
    }
}

TEST(dropout_draws_different_numbers_for_each_start) {
    constexpr int64_t count = 4096, dropped = denominator / 2;
    const Buffer<float> ones(count + slack, 1.0f);
    Buffer<float> first = plain_buffer<float>(count), second = first;
    kernels.dropout(5, 0, dropped, ones.data(), count, first.data());
    kernels.dropout(6, 0, dropped, ones.data(), count, second.data());
    int64_t equal = 0;
    for (std::size_t i = 0; i < count; ++i) equal += first[i] == second[i];
    CHECK_NEAR(static_cast<double>(equal), count / 2, 6 * 32);  // the standard deviation is 32
}

}  // namespace convscope::test
