// Runs every test on every instruction set that this processor has, or on the one that CONVSCOPE_ISA names. The
// instruction sets with bfloat16 share all kernels but the bfloat16 products with others, so they run only the tests
// with bfloat16 in their names. A word on the command line selects the tests whose names contain it.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "check.hpp"
#include "instruction_set.hpp"

namespace convscope::test {

namespace {

const Kernels* running_kernels = nullptr;
const char* running_test = nullptr;
int complaints = 0;  // of the running test

bool complain() {
    constexpr int max_complaints = 5;  // one mistake may break thousands of numbers
    return ++complaints <= max_complaints;
}

}  // namespace

std::vector<Test>& tests() {
    static std::vector<Test> tests;
    return tests;
}

void check(bool holds, const char* file, int line, const char* what) {
    if (!holds && complain()) {
        std::printf("%s %s: %s:%d: %s\n", running_kernels->name, running_test, file, line, what);
    }
}

void check_near(double got, double want, double tolerance, const char* file, int line, const char* what) {
    if (!(std::fabs(got - want) <= tolerance) && complain()) {
        std::printf("%s %s: %s:%d: %s: %.9g, not %.9g within %.2g\n", running_kernels->name, running_test, file, line,
                    what, got, want, tolerance);
    }
}

namespace {

int run_all(const char* wanted_set, const char* wanted_test) {
    std::vector<const Kernels*> sets = usable_kernels();
    const std::vector<const Kernels*> bfloat16 = usable_bfloat16_kernels();
    sets.insert(sets.end(), bfloat16.begin(), bfloat16.end());
    if (wanted_set != nullptr && *wanted_set != '\0') {
        const Kernels* kernels = find_kernels(wanted_set);
        if (kernels == nullptr) {
            std::printf("CONVSCOPE_ISA is %s; usable on this processor are:", wanted_set);
            for (const Kernels* usable : sets) std::printf(" %s", usable->name);
            std::printf("\n");
            return 2;
        }
        sets.assign(1, kernels);
    }
    int passed = 0, failed = 0;
    for (const Kernels* kernels : sets) {
        running_kernels = kernels;
        const bool only_bfloat16 = std::find(bfloat16.begin(), bfloat16.end(), kernels) != bfloat16.end();
        int failed_here = 0, run_here = 0;
        for (const Test& test : tests()) {
            if (wanted_test != nullptr && std::strstr(test.name, wanted_test) == nullptr) continue;
            if (only_bfloat16 && std::strstr(test.name, "bfloat16") == nullptr) continue;
            running_test = test.name;
            complaints = 0;
            test.run(*kernels);
            ++run_here;
            if (complaints > 0) ++failed_here;
        }
        std::printf("%s: %d of %d tests\n", kernels->name, run_here - failed_here, run_here);
        passed += run_here - failed_here;
        failed += failed_here;
    }
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed > 0 || passed == 0 ? 1 : 0;
}

}  // namespace

}  // namespace convscope::test

int main(int count, char** words) {
    return convscope::test::run_all(std::getenv("CONVSCOPE_ISA"), count > 1 ? words[1] : nullptr);
}
