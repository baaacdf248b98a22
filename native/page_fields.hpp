// Reads structs that JavaScript writes as doubles, and describes their fields for JavaScript as a text.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "layers/layer.hpp"

namespace convscope {

// The number of doubles of a field. JavaScript writes fields in the order of `for_fields`; NaN keeps a field's default.
template <class Value>
constexpr int field_size = 1;
template <>
constexpr int field_size<Shape> = 3;
template <>
constexpr int field_size<std::array<int64_t, 2>> = 2;
template <>
constexpr int field_size<std::vector<float>> = 2;  // the address and the count of its numbers

template <class Value>
void set_field(Value& value, const double* from) {
    if constexpr (std::is_enum_v<Value>) {
        value = names_of(value)[static_cast<std::size_t>(*from)].value;
    } else if constexpr (std::is_same_v<Value, bool>) {
        value = *from != 0;
    } else {
        value = static_cast<Value>(*from);
    }
}
inline void set_field(std::array<int64_t, 2>& value, const double* from) {
    value = {static_cast<int64_t>(from[0]), static_cast<int64_t>(from[1])};
}
inline void set_field(Shape& value, const double* from) {
    value = {static_cast<int64_t>(from[0]), static_cast<int64_t>(from[1]), static_cast<int64_t>(from[2])};
}
inline void set_field(std::vector<float>& value, const double* from) {
    const auto* numbers = reinterpret_cast<const float*>(static_cast<uintptr_t>(from[0]));
    value.assign(numbers, numbers + static_cast<std::size_t>(from[1]));
}

// Reads a struct, and moves `from` to its end.
template <class Struct>
Struct read(const double*& from) {
    Struct read;
    Struct::for_fields([&](const char*, auto field) {
        constexpr int size = field_size<std::remove_reference_t<decltype(read.*field)>>;
        if (!std::isnan(*from)) set_field(read.*field, from);
        from += size;
    });
    return read;
}

// Writes a description of the struct that `read` reads: for each field " name *size", or " name =choice|choice|" for an
// enum; of Input, " shape *3 scale *1 offset *1". Evaluated at compile time, so the module contains only the text.
template <class Struct, class Write>
constexpr void describe_fields(Write write) {
    const auto write_all = [&](const char* text) {
        for (; *text != 0; ++text) write(*text);
    };
    Struct::for_fields([&](const char* name, auto field) {
        using Value = std::remove_reference_t<decltype(std::declval<Struct&>().*field)>;
        write(' ');
        write_all(name);
        write(' ');
        if constexpr (std::is_enum_v<Value>) {
            write('=');
            for (const auto& choice : names_of(Value{})) {
                write_all(choice.name);
                write('|');
            }
        } else {
            write('*');
            write(static_cast<char>('0' + field_size<Value>));
        }
    });
}

template <class... Structs>
const char* fields() {
    constexpr auto describe = [](auto write) { (describe_fields<Structs>(write), ...); };
    constexpr std::size_t size = [&] {  // counts the letters first, for the array below
        std::size_t size = 0;
        describe([&](char) { ++size; });
        return size;
    }();
    static constexpr auto text = [&] {
        std::array<char, size + 1> text = {};
        std::size_t at = 0;
        describe([&](char letter) { text[at++] = letter; });
        return text;
    }();
    return text.data();
}

}  // namespace convscope
