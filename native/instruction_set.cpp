#include "instruction_set.hpp"

#include <cstring>

namespace convscope {

#if defined(CONVSCOPE_X86)
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

std::vector<const Kernels*> usable_kernels() {
    std::vector<const Kernels*> usable;
#if defined(CONVSCOPE_X86)
    __builtin_cpu_init();
    const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
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

const Kernels* find_kernels(const char* name) {
    for (const Kernels* kernels : usable_kernels()) {
        if (std::strcmp(kernels->name, name) == 0) return kernels;
    }
    return nullptr;
}

}  // namespace convscope
