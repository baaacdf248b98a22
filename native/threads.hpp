// A team of threads that runs one task after another: the only file that knows of threads.
//
// A team lives as long as one call into the engine, so nothing is left behind that a fork could lose. Between tasks its
// threads spin for a moment, since the next task follows within microseconds, and then sleep.
#pragma once

#include <atomic>
#include <cstdint>

#if !defined(CONVSCOPE_NO_THREADS)
#include <thread>
#include <vector>
#endif

namespace convscope {

class Team {
   public:
    // Where the system refuses a thread the team is smaller: results do not depend on its size.
    explicit Team(int threads);
    ~Team();
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    // Calls task(thread) once on each thread, the caller being thread 0, and returns when all have returned. To the task
    // subnormal numbers are zeros.
    template <class Task>
    void run(Task& task) {
        run([](void* context, int thread) { (*static_cast<Task*>(context))(thread); }, &task);
    }

   private:
    using Function = void (*)(void*, int);
    void run(Function function, void* context);

#if !defined(CONVSCOPE_NO_THREADS)
    void serve(int thread);

    std::vector<std::thread> threads_;
    Function function_ = nullptr;
    void* context_ = nullptr;
    bool leaving_ = false;
    alignas(64) std::atomic<uint32_t> task_{0};
    alignas(64) std::atomic<int> busy_{0};
#endif
};

// Hands out 0, 1, ..., count - 1, each to one thread.
class Queue {
   public:
    explicit Queue(int64_t count) : count_(count) {}
    bool take(int64_t& item) {
        item = next_.fetch_add(1, std::memory_order_relaxed);
        return item < count_ && !stopped_.load(std::memory_order_relaxed);
    }
    void stop() { stopped_.store(true, std::memory_order_relaxed); }
    bool stopped() const { return stopped_.load(std::memory_order_relaxed); }

   private:
    const int64_t count_;
    std::atomic<int64_t> next_{0};
    std::atomic<bool> stopped_{false};
};

}  // namespace convscope
