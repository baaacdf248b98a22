// Passes over many images that leave the network unchanged: which thread computes which slice, 8 images that go through
// the network together. The bindings and the page keep a Predictor for logits, and others for outputs and gradients of
// layers.
#pragma once

#include <deque>

#include "subnormals.hpp"
#include "training.hpp"

namespace convscope {

// The arrays with which a thread computes one slice after another.
struct SliceArrays {
    SliceArrays(const Network& network, const Plan& plan, Kept kept)
        : workspace(network.make_workspace(plan, kept)),
          scratch(network.make_scratch(plan, kept)),
          batch(network.make_batch(plan, slice_images, 0, kept)) {
        workspace.scratch = &scratch;
    }
    SliceArrays(const SliceArrays&) = delete;

    Workspace workspace;
    Scratch scratch;
    Batch batch;
    std::unique_ptr<SliceArrays> second = nullptr;  // made by Predictor::second
};

// Runs a plan on slices of images, on several threads. Keeps its arrays from call to call, since making them takes
// longer than computing an image. They are made when first needed, for each thread, and do not grow with the number of
// images. Batch normalisations use the moving statistics.
class Predictor {
   public:
    Predictor(const Network& network, const Plan& plan, Kept kept) : network_(network), plan_(plan), kept_(kept) {}

    // Makes the arrays of `threads` threads.
    void prepare(int threads) {
        while (static_cast<int>(arrays_.size()) < threads) arrays_.emplace_back(network_, plan_, kept_);
    }

    // Calls work(arrays, begin, end, go_on) for each slice of `count` images, on up to `threads` threads. Work that
    // takes long calls go_on() now and then, and returns if it is false. Returns false if the watcher stopped it.
    template <class Work>
    bool for_slices(int threads, int64_t count, Work work, Watcher& watcher) {
        const int64_t slices = count_slices(count);
        const int members = static_cast<int>(slices < threads ? slices : threads);
        prepare(members);
        for (SliceArrays& own : arrays_) network_.use_moving_statistics(plan_, own.batch);  // the weights may have changed
        Queue queue(slices, members);
        auto run = [&](int thread) {
            for (int64_t slice; queue.take(thread, slice);) {
                const int64_t begin = slice * slice_images;
                const int64_t end = begin + slice_images < count ? begin + slice_images : count;
                auto go_on = [&] {
                    if (thread == 0 && !watcher.go_on({end, 0, 0})) queue.stop();
                    return !queue.stopped();
                };
                work(arrays_[static_cast<std::size_t>(thread)], begin, end, go_on);
                if (end < count) go_on();
            }
        };
        if (members > 1) {
            Team(members).run(run);
        } else {
            const SubnormalMode flushed(true);  // as Team::run does
            run(0);
        }
        // Other threads may have taken every slice, so ask the watcher at least once; not after a single slice.
        if (slices > 1 && !queue.stopped() && !watcher.go_on({count, 0, 0})) queue.stop();
        return !queue.stopped();
    }

    // Computes `count` images and calls take(workspace, begin, end) with each slice.
    template <class Take>
    bool predict(int threads, const Images& images, int64_t count, Take take, Watcher& watcher) {
        auto work = [&](SliceArrays& arrays, int64_t begin, int64_t end, auto) {
            network_.forward(plan_, plan_.whole(), arrays.workspace, arrays.batch, from(images, begin), 0, end - begin);
            take(arrays.workspace, begin, end);
        };
        return for_slices(threads, count, work, watcher);
    }

    // Returns a second set of arrays, in which ablations go on, for the thread that has `arrays`.
    SliceArrays& second(SliceArrays& arrays) const {
        if (!arrays.second) {
            arrays.second = std::make_unique<SliceArrays>(network_, plan_, kept_);
            network_.use_moving_statistics(plan_, arrays.second->batch);
        }
        return *arrays.second;
    }

    // Returns `images` without the first `begin`, since a slice's arrays count its images from 0.
    Images from(const Images& images, int64_t begin) const {
        Images part = images;
        part.bytes += begin * network_.input().shape.size();
        return part;
    }

   private:
    const Network& network_;
    const Plan& plan_;
    const Kept kept_;
    std::deque<SliceArrays> arrays_;  // by thread
};

// A predictor and the plan that it runs.
struct PlannedPredictor {
    PlannedPredictor(const Network& network, Purpose purpose, Kept kept)
        : plan(network.make_plan(purpose)), predictor(network, plan, kept) {}
    PlannedPredictor(const PlannedPredictor&) = delete;

    const Plan plan;
    Predictor predictor;
};

}  // namespace convscope
