// The watcher that handles Python's signals and calls its progress callback while the engine works without the GIL.
#pragma once

#include <nanobind/nanobind.h>

#include <chrono>
#include <exception>
#include <stdexcept>

#include "subnormals.hpp"
#include "threads.hpp"
#include "training.hpp"

namespace convscope {

// Looks for signals and calls the callback at most every 50 ms. An exception of either stops the work, for `rethrow`.
class PythonWatcher final : public Watcher {
   public:
    explicit PythonWatcher(nanobind::handle progress) : progress_(progress) {}

    bool go_on(const Score& score) override {
        const auto now = std::chrono::steady_clock::now();
        if (now - last_ < std::chrono::milliseconds(50)) return true;
        const nanobind::gil_scoped_acquire gil;
        const SubnormalMode kept(false);  // Python's arithmetic keeps subnormal numbers
        try {
            if (PyErr_CheckSignals() != 0) nanobind::raise_python_error();
            if (!progress_.is_none() && score.images > 0) {
                const auto images = static_cast<double>(score.images);
                progress_(score.images, score.loss / images, static_cast<double>(score.correct) / images);
            }
            if (process_id() != process_) {
                throw std::runtime_error(
                    "a progress callback or signal handler forked the process and returned in the child, which has no "
                    "engine threads; end the child with os._exit()");
            }
        } catch (...) {
            error_ = std::current_exception();
            return false;
        }
        last_ = std::chrono::steady_clock::now();
        return true;
    }

    void rethrow() const { if (error_) std::rethrow_exception(error_); }

   private:
    nanobind::handle progress_;
    const int64_t process_ = process_id();
    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
    std::exception_ptr error_;
};

}  // namespace convscope
