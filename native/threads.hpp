// A team of threads that runs one task after another. Only threads.hpp and threads.cpp use the system's threads.
//
// A team lives for one call into the engine, so a process forked between calls loses no thread. If a progress callback
// forks during a call, the child process has none of the team's other threads, and the team does not wait for them.
// Between tasks the threads spin for a moment, since the next task usually follows within microseconds, and then sleep.
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
    // If the system refuses a thread, the team is smaller; results do not depend on its size.
    explicit Team(int threads);
    ~Team();
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    int size() const { return size_; }

    // Calls task(thread) once on each thread, the caller being thread 0, and returns when all calls have returned.
    // Meanwhile subnormal numbers count as zeros: see SubnormalMode.
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
    alignas(64) std::atomic<uint32_t> task_{0};  // the number of tasks so far
    alignas(64) std::atomic<int> busy_{0};       // threads that have not finished the last task
#endif
};

// Hands out the items 0, 1, ..., count - 1, each to one thread. The items are divided into one part for each thread. A
// thread takes its own part first, in order: the same items of every queue of this size, whose data its cache may still
// have. Then it takes the rest of other threads' parts. A queue that goes backwards begins with the last item of each part.
class Queue {
   public:
    Queue(int64_t count, int threads, bool backwards = false)
        : parts_(static_cast<std::size_t>(threads)), backwards_(backwards) {
        for (int thread = 0; thread < threads; ++thread) {
            Part& part = parts_[static_cast<std::size_t>(thread)];
            part.begin = part.next = thread * count / threads;
            part.end = (thread + 1) * count / threads;
        }
    }
    // Gives `thread` its next item. Returns false if none is left or the queue was stopped.
    bool take(int thread, int64_t& item) {
        const std::size_t own = static_cast<std::size_t>(thread), parts = parts_.size();
        for (std::size_t i = 0; i < parts && !stopped(); ++i) {
            Part& part = parts_[(own + i) % parts];
            const int64_t next = part.next.fetch_add(1, std::memory_order_relaxed);
            item = backwards_ ? part.begin + part.end - 1 - next : next;
            if (next < part.end) return true;
        }
        return false;
    }
    void stop() { stopped_.store(true, std::memory_order_relaxed); }
    bool stopped() const { return stopped_.load(std::memory_order_relaxed); }

   private:
    struct alignas(64) Part {
        std::atomic<int64_t> next{0};
        int64_t begin = 0, end = 0;
    };

    std::vector<Part> parts_;
    const bool backwards_;
    std::atomic<bool> stopped_{false};
};

}  // namespace convscope
