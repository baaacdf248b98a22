// Arrays that start at a cache line and may be read, and never written, a little past their end.
//
// Kernels load whole vectors (for the words, see kernels.hpp), so their last load may reach past the end of an array,
// or from one image's map into the next: products of matrices read B, bias, mask and C up to the width of a panel,
// products of bfloat16 numbers also rows of A up to a whole step, and poolings, depthwise convolutions, Winograd's
// transforms, activations, normalisation, winners, optimizer steps and augmentation read up to a vector. These numbers
// must not change a result. No sum may include them, not even multiplied by zero, since they may be NaN.
//
// AddressSanitizer sees neither such a read nor a write there. Builds with it fill the slack, and the gaps that they add
// between the maps of images, with marks, which are not numbers (NaN); they check the marks when an array is released and
// after each pass, and end the program where one is missing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <type_traits>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define CONVSCOPE_CHECKS_MARKS
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CONVSCOPE_CHECKS_MARKS
#endif
#endif

namespace convscope {

constexpr int64_t slack = 64;  // elements after an array's end, as many as a tile is wide: kernels may read them

#if defined(CONVSCOPE_CHECKS_MARKS)
constexpr bool checks_marks = true;
#else
constexpr bool checks_marks = false;
#endif

// The i-th mark, a NaN: 0xffc00000 | n as a float, 0xffc0 | n in bfloat16. n < 64 varies, so copied marks are found too.
template <class Element>
Element mark(int64_t i) {
    const uint64_t varied = static_cast<uint64_t>(i) * 0x9e3779b97f4a7c15u >> 58;  // the upper 6 bits of a hash
    const uint64_t bits = sizeof(Element) == 8   ? 0xfff8000000000000u | varied
                          : sizeof(Element) == 4 ? 0xffc00000u | varied
                          : sizeof(Element) == 2 ? 0xffc0u | varied
                                                 : 0xc0u | varied;
    Element element;
    std::memcpy(&element, &bits, sizeof element);  // the lowest bytes come first
    return element;
}

template <class Element>
void write_marks(Element* first, int64_t count) { for (int64_t i = 0; i < count; ++i) first[i] = mark<Element>(i); }

// Returns the index of the first missing mark; `count` if none is missing.
template <class Element>
int64_t find_missing_mark(const Element* first, int64_t count) {
    int64_t i = 0;
    for (; i < count; ++i) {
        const Element wanted = mark<Element>(i);
        if (std::memcmp(first + i, &wanted, sizeof wanted) != 0) break;
    }
    return i;
}

template <class Element>
void check_marks(const Element* first, int64_t count) {
    const int64_t missing = find_missing_mark(first, count);
    if (missing == count) return;
    std::fprintf(stderr, "out-of-bounds write: element %lld of the %lld after an array or an image's map has changed\n",
                 static_cast<long long>(missing), static_cast<long long>(count));
    std::abort();
}

// The bytes of all arrays that this thread has allocated so far, for differences of two readings.
inline thread_local int64_t requested_bytes = 0;

template <class Element>
struct AlignedAllocator {
    using value_type = Element;
    using propagate_on_container_copy_assignment = std::true_type;  // a copied or moved array takes its marks along
    using propagate_on_container_move_assignment = std::true_type;
    using propagate_on_container_swap = std::true_type;

    AlignedAllocator() = default;
    explicit AlignedAllocator(bool marked) : is_marked(marked) {}
    template <class Other>
    AlignedAllocator(const AlignedAllocator<Other>& source) : is_marked(source.is_marked) {}
    Element* allocate(std::size_t count) {
        requested_bytes += static_cast<int64_t>(count * sizeof(Element));
        return static_cast<Element*>(::operator new(count * sizeof(Element), std::align_val_t{64}));
    }
    void deallocate(Element* array, std::size_t count) {
        if (checks_marks && is_marked) check_marks(array + count - slack, slack);
        ::operator delete(array, std::align_val_t{64});
    }
    template <class Other>
    bool operator==(const AlignedAllocator<Other>&) const { return true; }

    bool is_marked = false;  // whether the slack holds marks
};

template <class Element>
using Buffer = std::vector<Element, AlignedAllocator<Element>>;

// Makes an array of `count` zeros, followed by the slack.
template <class Element>
Buffer<Element> make_buffer(int64_t count) {
    Buffer<Element> buffer(static_cast<std::size_t>(count + slack), AlignedAllocator<Element>(checks_marks));
    if constexpr (checks_marks) write_marks(buffer.data() + count, slack);
    return buffer;
}

inline int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace convscope
