// The marks after arrays and between the maps of images, by which builds with AddressSanitizer find stray writes.
#include "buffer.hpp"

#include <cmath>
#include <cstring>

#include "check.hpp"

namespace convscope::test {
namespace {

template <class Element>
void check_finds_writes() {
    Element marks[slack];
    for (int64_t written = 0; written < slack; ++written) {
        write_marks(marks, slack);
        CHECK(find_missing_mark(marks, slack) == slack);
        std::memset(marks + written, 0, sizeof(Element));
        CHECK(find_missing_mark(marks, slack) == written);
    }
    write_marks(marks, slack);
    std::memmove(marks, marks + 1, (slack - 1) * sizeof(Element));  // marks copied from another position are not valid
    CHECK(find_missing_mark(marks, slack) < slack);
}

}  // namespace

TEST(a_write_after_the_end_of_an_array_is_detected) {
    check_finds_writes<float>();
    check_finds_writes<double>();
    check_finds_writes<int32_t>();
    check_finds_writes<uint32_t>();
    check_finds_writes<uint16_t>();
    check_finds_writes<uint8_t>();
    for (int64_t i = 0; i < slack; ++i) {
        // 0xff80 is minus infinity as a bfloat16 number; what is above is NaN.
        CHECK(std::isnan(mark<float>(i)) && std::isnan(mark<double>(i)) && mark<uint16_t>(i) > 0xff80);
    }
}

TEST(builds_that_check_for_writes_mark_the_slack_of_every_array) {
    const Buffer<float> numbers = make_buffer<float>(5), copy = numbers;
    CHECK(std::all_of(copy.begin(), copy.begin() + 5, [](float number) { return number == 0; }));
    if (checks_marks) CHECK(find_missing_mark(copy.data() + 5, slack) == slack);
}

}  // namespace convscope::test
