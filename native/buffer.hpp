// Arrays that start at a cache line and may be read, and never written, a little past their end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace convscope {

constexpr int64_t slack = 64;  // floats behind an array's last: a kernel may load a whole tile's width of them

// The bytes that this thread has asked for as arrays so far: between two readings lies what was made meanwhile.
inline thread_local int64_t requested_bytes = 0;

template <class Element>
struct AlignedAllocator {
    using value_type = Element;
    AlignedAllocator() = default;
    template <class Other>
    AlignedAllocator(const AlignedAllocator<Other>&) {}
    Element* allocate(std::size_t count) {
        requested_bytes += static_cast<int64_t>(count * sizeof(Element));
        return static_cast<Element*>(::operator new(count * sizeof(Element), std::align_val_t{64}));
    }
    void deallocate(Element* array, std::size_t) { ::operator delete(array, std::align_val_t{64}); }
    template <class Other>
    bool operator==(const AlignedAllocator<Other>&) const {
        return true;
    }
};

template <class Element>
using Buffer = std::vector<Element, AlignedAllocator<Element>>;

// Zeros, `count` of them and the slack.
template <class Element>
Buffer<Element> make_buffer(int64_t count) {
    return Buffer<Element>(static_cast<std::size_t>(count + slack));
}

inline int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace convscope
