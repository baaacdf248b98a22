// How the processor treats subnormal numbers: those too small for a whole mantissa, below 1.2e-38 in float.
#pragma once

#include <cstdint>

namespace convscope {

// While an object of this class exists, its thread treats subnormal numbers as zeros, or keeps them if not `flushed`.
//
// Training makes many of them: the moments of a weight whose gradient has become zero shrink by a factor in each step,
// and the gradients of well fitted images are tiny. Some processors take 100 cycles for one. WebAssembly has no choice.
class SubnormalMode {
   public:
    explicit SubnormalMode(bool flushed) : before_(read()) { write(flushed ? before_ | bits : before_ & ~bits); }
    ~SubnormalMode() { write(before_); }
    SubnormalMode(const SubnormalMode&) = delete;
    SubnormalMode& operator=(const SubnormalMode&) = delete;

   private:
#if defined(__x86_64__)
    using Register = uint32_t;
    static constexpr Register bits = 0x8040;  // MXCSR: results flushed to zero, operands read as zero
    static Register read() { return __builtin_ia32_stmxcsr(); }
    static void write(Register value) { __builtin_ia32_ldmxcsr(value); }
#elif defined(__aarch64__)
    using Register = uint64_t;
    static constexpr Register bits = 1 << 24;  // FPCR.FZ: both
    static Register read() {
        Register value;
        asm volatile("mrs %0, fpcr" : "=r"(value));
        return value;
    }
    static void write(Register value) { asm volatile("msr fpcr, %0" : : "r"(value)); }
#else
    using Register = uint32_t;
    static constexpr Register bits = 0;
    static Register read() { return 0; }
    static void write(Register) {}
#endif

    const Register before_;
};

}  // namespace convscope
