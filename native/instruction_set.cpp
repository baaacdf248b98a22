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
namespace amx_bf16 { void multiply_bfloat16(const Bfloat16Product&); }
namespace avx512 { extern const Kernels kernels; }
namespace avx2 { extern const Kernels kernels; }
namespace sse2 { extern const Kernels kernels; }
#else
namespace generic { extern const Kernels kernels; }
#endif

#if defined(CONVSCOPE_X86)
namespace {

// Instructions that the processor has and whose registers the system saves for each thread. Not __builtin_cpu_supports:
// it needs GCC's or Clang's run-time library, which a module built by Clang for Windows, or by Zig, does not have.
struct Processor {
    bool avx2 = false;  // with FMA and both sets of bit manipulation
    bool avx512 = false;  // F, BW, DQ and VL
    bool amx_bf16 = false;
};

// Source: Intel's Software Developer's Manual, volume 2, CPUID.
Processor read_processor() {
    constexpr auto all = [](unsigned value, unsigned bits) { return (value & bits) == bits; };
    Processor processor;
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    constexpr unsigned fma = 1u << 12, saves_registers = 1u << 27, avx = 1u << 28;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !all(ecx, fma | saves_registers | avx)) return processor;
    unsigned saved = 0, upper = 0;
    asm("xgetbv" : "=a"(saved), "=d"(upper) : "c"(0));
    constexpr unsigned avx_state = 0x6, avx512_state = 0xe0;  // bits of XCR0: registers that the system saves
    if (!all(saved, avx_state) || !__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return processor;
    constexpr unsigned bmi = 1u << 3, avx2 = 1u << 5, bmi2 = 1u << 8;
    processor.avx2 = all(ebx, bmi | avx2 | bmi2);
#if defined(__APPLE__)
    saved |= avx512_state;  // macOS keeps the large registers of a thread from their first use on
#endif
    constexpr unsigned f = 1u << 16, dq = 1u << 17, bw = 1u << 30, vl = 1u << 31;
    processor.avx512 = processor.avx2 && all(saved, avx_state | avx512_state) && all(ebx, f | dq | bw | vl);
    constexpr unsigned amx_bf16 = 1u << 22, amx_tile = 1u << 24;
    processor.amx_bf16 = processor.avx512 && all(edx, amx_bf16 | amx_tile);
    return processor;
}

const Processor& processor() {
    static const Processor processor = read_processor();
    return processor;
}

// Whether the processor multiplies tiles of bfloat16 numbers (AMX) and the system permits it. Its registers are large,
// so each process must ask once. Source: the Linux kernel's documentation, x86/xstate.
bool may_use_tiles() {
#if defined(__linux__) && defined(__LP64__)
    constexpr long request_permission = 0x1023, tile_data = 18;
    return processor().amx_bf16 && syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
    return false;
#endif
}

}  // namespace
#endif

std::vector<const Kernels*> usable_kernels() {
    std::vector<const Kernels*> usable;
#if defined(CONVSCOPE_X86)
    if (processor().avx512) usable.push_back(&avx512::kernels);
    if (processor().avx2) usable.push_back(&avx2::kernels);
    usable.push_back(&sse2::kernels);
#else
    usable.push_back(&generic::kernels);
#endif
    return usable;
}

std::vector<const Kernels*> usable_bfloat16_kernels() {
#if defined(CONVSCOPE_X86)
    static const Kernels amx = [] {  // those of avx512, with products by tiles
        Kernels kernels = avx512::kernels;
        kernels.name = "amx_bf16";
        kernels.multiply_bfloat16 = amx_bf16::multiply_bfloat16;
        return kernels;
    }();
    static const bool is_usable = may_use_tiles();
    if (is_usable) return {&amx};
#endif
    return {};
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
