#include "peak.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

#include "buffer.hpp"
#include "threads.hpp"

namespace convscope {

double measure_peak(double (*multiply_add)(int64_t, float*), int threads, double seconds) {
    using Clock = std::chrono::steady_clock;
    using Seconds = std::chrono::duration<double>;
    const auto seconds_since = [](Clock::time_point start) { return Seconds(Clock::now() - start).count(); };
    constexpr double round_seconds = 0.01;
    Team team(threads);
    std::vector<Buffer<float>> numbers;
    for (int i = 0; i < threads; ++i) {
        numbers.push_back(make_buffer<float>(16));
        // Sums that stay near one: neither infinite nor denormal, which would be slower.
        const float start[] = {0.999f, 0.001f, 1.0f, 0.0f};
        std::copy(start, start + 4, numbers.back().begin());
    }
    std::vector<double> operations(static_cast<std::size_t>(threads));
    int64_t steps = 100000;  // of the first round; the next ones are as long as round_seconds
    double best = 0;
    const auto begin = Clock::now();
    do {
        std::fill(operations.begin(), operations.end(), 0.0);
        auto work = [&](int thread) {
            const auto i = static_cast<std::size_t>(thread);
            operations[i] = multiply_add(steps, numbers[i].data());
        };
        const auto start = Clock::now();
        team.run(work);
        const double elapsed = std::max(seconds_since(start), 1e-6);
        double sum = 0;
        for (double count : operations) sum += count;
        best = std::max(best, sum / elapsed);
        steps = std::max<int64_t>(1000, static_cast<int64_t>(static_cast<double>(steps) * round_seconds / elapsed));
    } while (seconds_since(begin) < seconds);
    return best;
}

}  // namespace convscope
