// Training with batch normalisation, in stages over the batch: steps against the naive network's in double, and the
// same bits on any number of threads.
#include <utility>

#include "check.hpp"
#include "engine.hpp"
#include "random_data.hpp"

namespace convscope::test {
namespace {

constexpr uint64_t dropout_key = 91;
constexpr double rate = 0.0625, least_distance = 5e-6;

std::vector<Architecture> architectures() {
    using A = Architecture;
    A dark = A(6, 7, 1).normalization().convolution(5, 2, 2, false).normalization(true).flatten().dense(3);
    dark.input.offset = 20;  // a mean many times the spread
    return {
        // Sums across stages, and convolutions by Winograd's way with padding and without; vectors.
        A(7, 6, 2)
            .convolution(16, 3, 3, false, same)
            .normalization(true)
            .dropout(0.1)
            .convolution(17, 3, 3, false, same)
            .normalization(true)
            .convolution(16, 3, 3, false, same)
            .normalization()
            .addition(1, true)
            .convolution(18, 3, 3, false)
            .normalization()
            .activated(Activation::gelu)
            .max_pooling(2, 2, {2, 2})
            .addition(10)
            .flatten()
            .dense(33, false)
            .normalization(true)
            .dropout(0.5)
            .dense(33, false)
            .normalization()
            .addition(14, true)
            .dense(4),
        // Of the image, twice in a row, and of the logits; a stage that a pooled convolution ends.
        A(8, 8, 3)
            .normalization()
            .normalization(true)
            .convolution(6, 3, 3)
            .max_pooling(2, 2, {2, 2})
            .normalization()
            .depthwise(2, 2, 2)
            .addition(5)
            .convolution(3, 2, 2, false)
            .normalization()
            .flatten(),
        // Of vectors alone.
        A(3, 3, 1)
            .flatten()
            .normalization()
            .dense(40, true)
            .normalization(true)
            .dense(40)
            .addition(3)
            .dense(3)
            .normalization(),
        dark,
    };
}

std::vector<int64_t> in_order(int64_t count) {
    std::vector<int64_t> order;
    for (int64_t i = 0; i < count; ++i) order.push_back(i);
    return order;
}

Settings descent() {
    Settings settings;
    settings.optimizer.kind = OptimizerKind::sgd;
    settings.dropout_key = dropout_key;
    return settings;
}

// Steps of plain descent, and where they lead.
struct Case {
    Architecture architecture;
    int64_t batch_size;
    std::vector<Weights> start, wanted;
    std::vector<uint8_t> images;
    std::vector<int64_t> labels;
    Trained trained;
};

std::vector<Case> make_cases() {
    std::vector<Case> cases;
    uint64_t seed = 601;
    for (const Architecture& a : architectures()) {
        // A batch of one image, of one slice, of more slices than shards, and a second batch of one and of nine images.
        for (auto [count, batch_size] : {std::pair<int64_t, int64_t>{1, 1}, {8, 8}, {136, 136}, {25, 24}, {33, 24}}) {
            Case c = {a, batch_size, {}, {}, {}, {}, {}};
            // Until no number lies where float and double may part ways.
            for (c.trained.distance_from_jumps = 0; c.trained.distance_from_jumps < least_distance;) {
                const RandomData data(a, count, ++seed);
                c.start = c.wanted = random_weights(a, seed);
                c.images = data.bytes;
                c.labels = data.labels;
                c.trained = train_naively(a, c.wanted, data.images(0, count), data.labels, batch_size, rate,
                                          dropout_key, least_distance);
            }
            cases.push_back(c);
        }
    }
    return cases;
}

// Checks that numbers moved from `start` to `want`. The tolerance is a few roundings of the longest move, but at least
// of 0.02, since the numbers themselves are rounded.
void check_moved(const Numbers& got, const Numbers& start, const Numbers& want) {
    Numbers got_moves, moves;
    for (std::size_t i = 0; i < start.size(); ++i) {
        got_moves.push_back(got[i] - start[i]);
        moves.push_back(want[i] - start[i]);
    }
    CHECK_NEAR_ALL(got_moves.data(), moves, 1e-4, 2e-2);
}

class StopAfter final : public Watcher {
   public:
    explicit StopAfter(int questions) : left_(questions) {}
    bool go_on(const Score&) override { return left_-- > 0; }

   private:
    int left_;
};

}  // namespace

TEST(steps_by_batch_statistics_match_the_naive_network) {
    static const std::vector<Case> cases = make_cases();  // once for all instruction sets, since plain loops take long
    for (const Case& c : cases) {
        Engine engine(c.architecture, c.start, kernels);
        GoOn watcher;
        const std::vector<int64_t> order = in_order(static_cast<int64_t>(c.labels.size()));
        const Score score =
            engine.train(c.images, c.labels, order, c.batch_size, static_cast<float>(rate), 2, watcher, descent());
        // Of one image a vector has no variance: its roundings are divided by the root of epsilon at each normalisation.
        const double tolerance = c.labels.size() == 1 ? 1e-4 : 1e-5;
        CHECK_NEAR(score.loss, c.trained.loss, tolerance * c.trained.loss);
        const std::vector<Weights> got = engine.read(Parameters::weights);
        for (std::size_t l = 0; l < got.size(); ++l) {
            check_moved(got[l].kernel, c.start[l].kernel, c.wanted[l].kernel);
            check_moved(got[l].bias, c.start[l].bias, c.wanted[l].bias);
            check_moved(got[l].moving_means, c.start[l].moving_means, c.wanted[l].moving_means);
            check_moved(got[l].moving_variances, c.start[l].moving_variances, c.wanted[l].moving_variances);
        }
    }
}

TEST(training_in_stages_gives_the_same_bits_on_any_number_of_threads) {
    uint64_t seed = 621;
    GoOn watcher;
    for (const Architecture& a : architectures()) {
        for (auto [count, batch_size] : {std::pair<int64_t, int64_t>{129, 64}, {73, 64}, {136, 136}, {17, 5}}) {
            const RandomData data(a, count, ++seed);
            const std::vector<Weights> start = random_weights(a, seed);
            Engine single(a, start, kernels);
            std::vector<Weights> gradients, again_gradients;
            const Score score = single.train(data.bytes, data.labels, in_order(count), batch_size, 0.01f, 1, watcher);
            const double loss = single.gradients(data.bytes, data.labels, batch_size, 1, gradients);
            for (int threads : {2, 3, 7}) {
                Engine threaded(a, start, kernels);
                const Score again =
                    threaded.train(data.bytes, data.labels, in_order(count), batch_size, 0.01f, threads, watcher);
                CHECK(again.loss == score.loss && again.correct == score.correct && again.images == count);
                for (Parameters::Field field : {Parameters::weights, Parameters::m, Parameters::v}) {
                    CHECK(equal(threaded.read(field), single.read(field)));
                }
                CHECK(threaded.gradients(data.bytes, data.labels, batch_size, threads, again_gradients) == loss);
                CHECK(equal(again_gradients, gradients));
            }
        }
    }
}

TEST(training_stopped_in_any_stage_leaves_whole_steps) {
    const Architecture a = architectures().front();
    constexpr int64_t count = 40, batch_size = 20;
    const RandomData data(a, count, 641);
    const std::vector<Weights> start = random_weights(a, 641);
    GoOn on;
    std::vector<std::vector<Weights>> after = {start};  // by whole steps
    for (int64_t images : {batch_size, count}) {
        Engine engine(a, start, kernels);
        engine.train(data.bytes, data.labels, in_order(images), batch_size, 0.01f, 1, on, descent());
        after.push_back(engine.read(Parameters::weights));
    }
    int64_t steps = 0;
    for (int questions = 0; steps < 2; ++questions) {
        Engine engine(a, start, kernels);
        StopAfter watcher(questions);
        const Score score =
            engine.train(data.bytes, data.labels, in_order(count), batch_size, 0.01f, 1, watcher, descent());
        CHECK(engine.steps >= steps && score.images == engine.steps * batch_size);
        steps = engine.steps;
        CHECK(equal(engine.read(Parameters::weights), after[static_cast<std::size_t>(steps)]));
    }
}

}  // namespace convscope::test
