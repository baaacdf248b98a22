// The definition of a test and of its checks, without a framework: a list of tests and two functions.
//
//     TEST(the_sum_of_two_and_two_is_four) { CHECK(2 + 2 == 4); }
//
// Each test runs once for each instruction set, and its body reads that set's table of kernels as `kernels`.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/kernels.hpp"

namespace convscope::test {

struct Test {
    const char* name;
    void (*run)(const Kernels& kernels);
};

// All tests, in the order in which their files were linked.
std::vector<Test>& tests();

// Fails the running test and prints where, if `holds` is false.
void check(bool holds, const char* file, int line, const char* what);

// Fails the running test and prints both numbers unless |got - want| <= tolerance; a NaN fails.
void check_near(double got, double want, double tolerance, const char* file, int line, const char* what);

// Checks that each |got - want| <= tolerance * scale. The scale is the largest |want|, but at least `min_scale`: a sum
// of large floats keeps their rounding errors even if the terms cancel.
template <class Number>
void check_near_all(const Number* got, const std::vector<double>& want, double tolerance, double min_scale,
                    const char* file, int line, const char* what) {
    double scale = min_scale;
    for (double value : want) scale = std::max(scale, std::fabs(value));
    for (std::size_t i = 0; i < want.size(); ++i) {
        check_near(static_cast<double>(got[i]), want[i], tolerance * scale, file, line, what);
    }
}

struct Registration {
    Registration(const char* name, void (*run)(const Kernels&)) { tests().push_back({name, run}); }
};

}  // namespace convscope::test

#define TEST(name)                                                           \
    static void name(const convscope::Kernels& kernels);                     \
    static const convscope::test::Registration register_##name(#name, name); \
    static void name([[maybe_unused]] const convscope::Kernels& kernels)
#define CHECK(condition) convscope::test::check(condition, __FILE__, __LINE__, #condition)
#define CHECK_NEAR(got, want, tolerance) \
    convscope::test::check_near(got, want, tolerance, __FILE__, __LINE__, #got " = " #want)
#define CHECK_NEAR_ALL(got, want, tolerance, min_scale) \
    convscope::test::check_near_all(got, want, tolerance, min_scale, __FILE__, __LINE__, #got " = " #want)
