// How long the steps of training take, for benchmarks/roofline.py. Only a build with CONVSCOPE_STEP_TIMES measures it and
// writes a line of JSON to standard error when the process ends; in others `time_step` calls its work and nothing else.
//
//     {"forward": [seconds of step 0, ...], "backward": [...], "update": seconds}      summed over all threads
#pragma once

#include <cstddef>

#if defined(CONVSCOPE_STEP_TIMES)
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#endif

namespace convscope {

enum class Phase { forward, backward, update };

#if defined(CONVSCOPE_STEP_TIMES)

class StepTimes {
   public:
    ~StepTimes() {
        std::fprintf(stderr, "{");
        print("forward", Phase::forward);
        print("backward", Phase::backward);
        std::fprintf(stderr, "\"update\": %.6f}\n", seconds(Phase::update, 0));
    }
    void add(Phase phase, std::size_t step, std::chrono::nanoseconds time) {
        times_[static_cast<std::size_t>(phase)][step].fetch_add(time.count(), std::memory_order_relaxed);
    }

   private:
    static constexpr std::size_t max_steps = 256;

    double seconds(Phase phase, std::size_t step) const {
        return 1e-9 * static_cast<double>(times_[static_cast<std::size_t>(phase)][step].load());
    }
    void print(const char* name, Phase phase) const {
        std::fprintf(stderr, "\"%s\": [%.6f", name, seconds(phase, 0));
        for (std::size_t step = 1; step < max_steps; ++step) std::fprintf(stderr, ", %.6f", seconds(phase, step));
        std::fprintf(stderr, "], ");
    }

    std::array<std::array<std::atomic<int64_t>, max_steps>, 3> times_ = {};
};

inline StepTimes step_times;

template <class Work>
void time_step(Phase phase, std::size_t step, const Work& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    step_times.add(phase, step, std::chrono::steady_clock::now() - start);
}

#else

template <class Work>
void time_step(Phase, std::size_t, const Work& work) {
    work();
}

#endif

}  // namespace convscope
