// Prediction over many images: who computes which slice.
#pragma once

#include <deque>

#include "subnormals.hpp"
#include "training.hpp"

namespace convscope {

// Keeps what it computes in from call to call, since making that takes longer than an image does. It is made when first
// needed, for a thread at a time, and does not grow with the number of images.
class Predictor {
   public:
    Predictor(const Network& network, const Plan& plan) : network_(network), plan_(plan) {}

    // Makes what so many threads need.
    void prepare(int threads) {
        while (static_cast<int>(members_.size()) < threads) members_.emplace_back(network_, plan_);
    }

    // Computes `count` images, a slice a thread at a time, and calls take(workspace, begin, end) with each. False if the
    // watcher stopped it.
    template <class Take>
    bool predict(int threads, const Images& images, int64_t count, Take take, Watcher& watcher) {
        const int64_t slices = count_slices(count);
        const int members = static_cast<int>(slices < threads ? slices : threads);
        prepare(members);
        for (Member& member : members_) network_.use_moving_statistics(plan_, member.batch);  // weights may be new
        Queue queue(slices);
        auto work = [&](int thread) {
            Member& member = members_[static_cast<std::size_t>(thread)];
            for (int64_t slice; queue.take(slice);) {
                const int64_t begin = slice * slice_images;
                const int64_t end = begin + slice_images < count ? begin + slice_images : count;
                Images part = images;
                part.bytes += begin * network_.input().shape.size();
                network_.forward(plan_, plan_.whole(), member.workspace, member.batch, part, 0, end - begin);
                take(member.workspace, begin, end);
                if (thread == 0 && end < count && !watcher.go_on({end, 0, 0})) queue.stop();
            }
        };
        if (members > 1) {
            Team(members).run(work);
        } else {
            const Subnormals flushed(true);  // as in a team
            work(0);
        }
        return !queue.stopped();
    }

   private:
    // What one thread needs for a slice.
    struct Member {
        Member(const Network& network, const Plan& plan)
            : workspace(network.make_workspace(plan, false)),
              scratch(network.make_scratch(plan, false)),
              batch(network.make_batch(plan, slice_images, 0, false)) {
            workspace.scratch = &scratch;
        }
        Member(const Member&) = delete;
        Workspace workspace;
        Scratch scratch;
        Batch batch;
    };

    const Network& network_;
    const Plan& plan_;
    std::deque<Member> members_;  // by thread
};

}  // namespace convscope
