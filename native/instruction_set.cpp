#include "instruction_set.hpp"

#include <cstring>

#if defined(CONVSCOPE_X86)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace convscope {

#if defined(CONVSCOPE_X86)
namespace amx_bf16 {
void multiply_bfloat16(const Bfloat16Product&);
double multiply_add_bfloat16(int64_t, float*);
}
namespace avx512_bf16 {
void multiply_bfloat16(const Bfloat16Product&);
double multiply_add_bfloat16(int64_t, float*);
}
namespace avx512 {
extern const Kernels kernels;
}
namespace avx2 {
extern const Kernels kernels;
}
namespace sse2 {
extern const Kernels kernels;
}
#else
namespace generic {
extern const Kernels kernels;
}
#endif

#if defined(CONVSCOPE_X86)
namespace {

// The kernels of avx512 with other products of bfloat16.
Kernels with_products(const char* name, bool multiplies_tiles, decltype(Kernels::multiply_bfloat16) multiply,
                      decltype(Kernels::multiply_add_bfloat16) multiply_add) {
    Kernels kernels = avx512::kernels;
    kernels.name = name;
    kernels.multiplies_tiles = multiplies_tiles;
    kernels.multiply_bfloat16 = multiply;
    kernels.multiply_add_bfloat16 = multiply_add;
    return kernels;
}

// Whether the processor multiplies tiles of bfloat16 and the system lets this process: their registers are large, so each
// process has to ask once. Source: the Linux kernel's documentation, x86/xstate.
bool may_use_tiles() {
#if defined(__linux__) && defined(__LP64__)
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    constexpr unsigned tiles_of_bfloat16 = 1u << 22 | 1u << 24;
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || (edx & tiles_of_bfloat16) != tiles_of_bfloat16) return false;
    constexpr long request_permission = 0x1023, tile_data = 18;
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
    return false;
#endif
}

}  // namespace
#endif

std::vector<const Kernels*> usable_kernels() {
    std::vector<const Kernels*> usable;
#if defined(CONVSCOPE_X86)
    __builtin_cpu_init();
    const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                          __builtin_cpu_supports("bmi2");
    if (has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
        usable.push_back(&avx512::kernels);
    }
    if (has_avx2) usable.push_back(&avx2::kernels);
    usable.push_back(&sse2::kernels);
#else
    usable.push_back(&generic::kernels);
#endif
    return usable;
}

std::vector<const Kernels*> usable_bfloat16_kernels() {
    std::vector<const Kernels*> usable;
#if defined(CONVSCOPE_X86)
    if (usable_kernels().front() != &avx512::kernels) return usable;
    static const Kernels by_tiles = with_products("amx_bf16", true, amx_bf16::multiply_bfloat16, amx_bf16::multiply_add_bfloat16);
    static const Kernels by_registers = with_products("avx512_bf16", false, avx512_bf16::multiply_bfloat16, avx512_bf16::multiply_add_bfloat16);
    static const bool tiles = may_use_tiles();
    if (tiles) usable.push_back(&by_tiles);
    if (__builtin_cpu_supports("avx512bf16")) usable.push_back(&by_registers);
#endif
    return usable;
}

const Kernels* find_kernels(const char* name) {
    const auto find = [name](const std::vector<const Kernels*>& usable) -> const Kernels* {
        for (const Kernels* kernels : usable) {
            if (std::strcmp(kernels->name, name) == 0) return kernels;
        }
        return nullptr;
    };
    const Kernels* kernels = find(usable_kernels());
    return kernels ? kernels : find(usable_bfloat16_kernels());
}

}  // namespace convscope
