// A team of threads that runs one task after another: the only file that knows of threads.
//
// A team lives as long as one call into the engine, so a fork between calls loses nothing. In a process that was forked
// during a call, by a progress callback, the team's other threads do not exist, and nothing waits for them. Between tasks
// the threads spin for a moment, since the next task follows within microseconds, and then sleep.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#if !defined(CONVSCOPE_NO_THREADS)
#include <thread>
#endif

namespace convscope {

// The number of this process; 0 on targets without threads, which have no processes either.
int64_t process_id();

class Team {
   public:
    // Where the system refuses a thread the team is smaller: results do not depend on its size.
    explicit Team(int threads);
    ~Team();
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    int size() const { return size_; }

    // Calls task(thread) once on each thread, the caller being thread 0, and returns when all have returned. To the task
    // subnormal numbers are zeros.
    template <class Task>
    void run(Task& task) {
        run([](void* context, int thread) { (*static_cast<Task*>(context))(thread); }, &task);
    }

   private:
    using Function = void (*)(void*, int);
    void run(Function function, void* context);

    int size_ = 1;
#if !defined(CONVSCOPE_NO_THREADS)
    void serve(int thread);
    bool is_forked() const { return process_id() != process_; }

    const int64_t process_ = process_id();
    std::vector<std::thread> threads_;
    Function function_ = nullptr;
    void* context_ = nullptr;
    bool leaving_ = false;
    alignas(64) std::atomic<uint32_t> task_{0};
    alignas(64) std::atomic<int> busy_{0};
#endif
};

// Hands out 0, 1, ..., count - 1, each to one thread. A thread gets those of its own part first, in order, the same part of
// each queue of as many, so that what it has in its cache is used again; then what is left of the others'.
class Queue {
   public:
    Queue(int64_t count, int threads) : parts_(static_cast<std::size_t>(threads)) {
        for (int thread = 0; thread < threads; ++thread) {
            Part& part = parts_[static_cast<std::size_t>(thread)];
            part.next = thread * count / threads;
            part.end = (thread + 1) * count / threads;
        }
    }
    bool take(int thread, int64_t& item) {
        const std::size_t own = static_cast<std::size_t>(thread), parts = parts_.size();
        for (std::size_t i = 0; i < parts && !stopped(); ++i) {
            Part& part = parts_[(own + i) % parts];
            item = part.next.fetch_add(1, std::memory_order_relaxed);
            if (item < part.end) return true;
        }
        return false;
    }
    void stop() { stopped_.store(true, std::memory_order_relaxed); }
    bool stopped() const { return stopped_.load(std::memory_order_relaxed); }

   private:
    struct alignas(64) Part {
        std::atomic<int64_t> next{0};
        int64_t end = 0;
    };

    std::vector<Part> parts_;
    std::atomic<bool> stopped_{false};
};

}  // namespace convscope
