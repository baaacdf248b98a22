#include "threads.hpp"

#include "subnormals.hpp"

#if defined(_WIN32)
#include <process.h>
#elif !defined(CONVSCOPE_NO_THREADS)
#include <unistd.h>
#endif

namespace convscope {

#if defined(CONVSCOPE_NO_THREADS)

int64_t process_id() { return 0; }

Team::Team(int) {}
Team::~Team() = default;
void Team::run(Function function, void* context) {
    const SubnormalMode flushed(true);
    function(context, 0);
}

#else

namespace {

constexpr int spins = 4000;  // some tens of microseconds

inline void pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// Returns when `value` is no longer `old`.
template <class Value>
void wait_while(const std::atomic<Value>& value, Value old) {
    for (int i = 0; i < spins; ++i) {
        if (value.load(std::memory_order_acquire) != old) return;
        pause();
    }
    value.wait(old, std::memory_order_acquire);
}

}  // namespace

#if defined(_WIN32)
int64_t process_id() { return _getpid(); }
#else
int64_t process_id() { return getpid(); }
#endif

Team::Team(int threads) {
    threads_.reserve(static_cast<std::size_t>(threads > 0 ? threads - 1 : 0));
    for (int thread = 1; thread < threads; ++thread) {
#if defined(__cpp_exceptions)
        try {
            threads_.emplace_back(&Team::serve, this, thread);
        } catch (...) {  // no more threads to be had
            break;
        }
#else
        threads_.emplace_back(&Team::serve, this, thread);
#endif
    }
    size_ += static_cast<int>(threads_.size());
}

Team::~Team() {
    if (is_forked()) {
        for (std::thread& thread : threads_) thread.detach();
        return;
    }
    leaving_ = true;
    task_.fetch_add(1, std::memory_order_release);
    task_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

// `task_` counts the tasks: a thread that has done n of them waits until it is no longer n. `busy_` counts the threads
// that have yet to finish the present one.
void Team::run(Function function, void* context) {
    function_ = function;
    context_ = context;
    busy_.store(static_cast<int>(threads_.size()), std::memory_order_relaxed);
    task_.fetch_add(1, std::memory_order_release);
    task_.notify_all();
    {
        const SubnormalMode flushed(true);
        function(context, 0);
    }
    for (int busy; (busy = busy_.load(std::memory_order_acquire)) != 0 && !is_forked();) wait_while(busy_, busy);
}

void Team::serve(int thread) {
    const SubnormalMode flushed(true);
    for (uint32_t done = 0;; ++done) {
        wait_while(task_, done);
        if (leaving_) return;
        function_(context_, thread);
        if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) busy_.notify_all();
    }
}

#endif

}  // namespace convscope
