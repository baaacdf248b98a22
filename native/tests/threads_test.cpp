// Teams of threads and queues of items, the flushing of subnormal numbers, and the search for instruction sets.
#include "threads.hpp"

#include <vector>

#include "check.hpp"
#include "instruction_set.hpp"
#include "subnormals.hpp"

namespace convscope::test {

TEST(a_team_runs_every_item_once_and_waits_for_all) {
    for (int threads : {1, 2, 3, 8}) {
        Team team(threads);
        std::vector<int> done(1000);  // not atomic: one thread computes an item, and run() waits for all
        for (int round = 1; round <= 50; ++round) {
            Queue queue(1000, team.size());
            auto work = [&](int thread) {
                CHECK(thread >= 0 && thread < threads);
                for (int64_t item; queue.take(thread, item);) ++done[static_cast<std::size_t>(item)];
            };
            team.run(work);
            CHECK(std::all_of(done.begin(), done.end(), [&](int times) { return times == round; }));
        }
    }
}

#if defined(__x86_64__) || defined(__aarch64__)
__attribute__((noinline)) float half_of(float value) {
    volatile float number = value;  // read when the call is made
    return number * 0.5f;
}

TEST(subnormal_numbers_are_flushed_only_within_a_task) {
    const float least_normal = 1.17549435e-38f;  // half of it is subnormal
    for (int threads : {1, 3}) {
        Team team(threads);
        CHECK(half_of(least_normal) > 0);
        auto work = [&](int) {
            CHECK(half_of(least_normal) == 0);
            const SubnormalMode kept(false);
            CHECK(half_of(least_normal) > 0);
        };
        team.run(work);
        CHECK(half_of(least_normal) > 0);
    }
}
#endif

TEST(a_stopped_queue_hands_out_nothing) {
    Queue queue(3, 2);
    int64_t item = -1;
    CHECK(queue.take(0, item) && item == 0);
    queue.stop();
    CHECK(queue.stopped() && !queue.take(0, item) && !queue.take(1, item));
}

TEST(a_thread_takes_its_own_part_of_a_queue_first) {
    Queue queue(5, 2);
    std::vector<int64_t> taken;
    for (int64_t item; queue.take(1, item);) taken.push_back(item);
    CHECK(taken == std::vector<int64_t>({2, 3, 4, 0, 1}));
}

TEST(a_queue_that_goes_backwards_begins_with_the_last_item_of_each_part) {
    Queue queue(5, 2, true);
    std::vector<int64_t> taken;
    for (int64_t item; queue.take(1, item);) taken.push_back(item);
    CHECK(taken == std::vector<int64_t>({4, 3, 2, 1, 0}));
}

TEST(an_instruction_set_is_found_by_its_exact_name) {
    CHECK(find_kernels(kernels.name) == &kernels);
    CHECK(find_kernels("vax") == nullptr);  // no instruction set of the engine
    CHECK(find_kernels("") == nullptr);
    CHECK(kernels.panel_width == 2 * kernels.vector_width);
}

}  // namespace convscope::test
