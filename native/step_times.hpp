// How long the steps of training take, for benchmarks/roofline.py. Only a build with CONVSCOPE_STEP_TIMES measures it and
// writes a line of JSON to standard error when the process ends; in others `time_step` calls its work and nothing else.
//
//     {"steps": [[layer, kind], ...], "forward": [seconds of step 0, ...], "backward": [...], "update": seconds}
//
// Seconds are summed over all threads; a kind is a number of StepKind.
#pragma once

#include "plan.hpp"

#if defined(CONVSCOPE_STEP_TIMES)
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <utility>
#include <vector>
#endif

namespace convscope {

enum class Phase { forward, backward, update };

#if defined(CONVSCOPE_STEP_TIMES)

class StepTimes {
   public:
    ~StepTimes() {
        std::fprintf(stderr, "{\"steps\": [");
        for (std::size_t i = 0; i < steps_.size(); ++i) {
            std::fprintf(stderr, "%s[%zu, %d]", i > 0 ? ", " : "", steps_[i].first, static_cast<int>(steps_[i].second));
        }
        std::fprintf(stderr, "], ");
        print("forward", Phase::forward);
        print("backward", Phase::backward);
        std::fprintf(stderr, "\"update\": %.6f}\n", seconds(Phase::update, 0));
    }
    void set_steps(const Plan& plan) {
        steps_.clear();
        for (const Plan::Step& step : plan.steps) steps_.emplace_back(step.layer, step.kind);
    }
    void add(Phase phase, std::size_t step, std::chrono::nanoseconds time) {
        if (step >= max_steps) return;
        times_[static_cast<std::size_t>(phase)][step].fetch_add(time.count(), std::memory_order_relaxed);
    }

   private:
    static constexpr std::size_t max_steps = 256;

    double seconds(Phase phase, std::size_t step) const {
        return 1e-9 * static_cast<double>(times_[static_cast<std::size_t>(phase)][step].load());
    }
    void print(const char* name, Phase phase) const {
        std::fprintf(stderr, "\"%s\": [%.6f", name, seconds(phase, 0));
        for (std::size_t step = 1; step < std::min(steps_.size(), max_steps); ++step) std::fprintf(stderr, ", %.6f", seconds(phase, step));
        std::fprintf(stderr, "], ");
    }

    std::vector<std::pair<std::size_t, StepKind>> steps_;
    std::array<std::array<std::atomic<int64_t>, max_steps>, 3> times_ = {};
};

inline StepTimes step_times;

inline void time_steps_of(const Plan& plan) { step_times.set_steps(plan); }

template <class Work>
void time_step(Phase phase, std::size_t step, const Work& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    step_times.add(phase, step, std::chrono::steady_clock::now() - start);
}

#else

inline void time_steps_of(const Plan&) {}

template <class Work>
void time_step(Phase, std::size_t, const Work& work) {
    work();
}

#endif

}  // namespace convscope
