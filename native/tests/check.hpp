// The definition of a test and of its checks, without a framework: a list of tests and two functions.
//
//     TEST(the_sum_of_two_and_two_is_four) { CHECK(2 + 2 == 4); }
//
// Each test runs once for each instruction set, whose table of kernels it is given as `kernels`.
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

// In the order in which they were linked.
std::vector<Test>& tests();

// Fails the running test and prints where, if `holds` is false.
void check(bool holds, const char* file, int line, const char* what);

// The same unless |got - want| <= tolerance; a NaN fails.
void check_near(double got, double want, double tolerance, const char* file, int line, const char* what);

// Checks that each number is within `tolerance` times the largest one, or times `least` if all are smaller: the error
// that remains of sums of larger numbers.
template <class Number>
void check_near_all(const Number* got, const std::vector<double>& want, double tolerance, double least,
                    const char* file, int line, const char* what) {
    double largest = least;
    for (double value : want) largest = std::max(largest, std::fabs(value));
    for (std::size_t i = 0; i < want.size(); ++i) {
        check_near(static_cast<double>(got[i]), want[i], tolerance * largest, file, line, what);
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
#define CHECK_NEAR_ALL(got, want, tolerance, least) \
    convscope::test::check_near_all(got, want, tolerance, least, __FILE__, __LINE__, #got " = " #want)
