// Training with batch normalisation. A layer needs the mean and variance of the whole batch before any image can go on,
// so the engine computes a batch in stages that end at each normalisation. The tests compare its steps with those of
// the naive network in double, and its bits on different numbers of threads.
#include <utility>

#include "check.hpp"
#include "engine.hpp"
#include "random_data.hpp"

namespace convscope::test {
namespace {

constexpr uint64_t dropout_key = 91;  // any number
constexpr double rate = 0.0625;       // of learning; a power of two, so that float and double hold the same number
// Numbers are of size 1 to 10, where floats have rounding errors of 1e-7 to 1e-6. A number closer than this to a jump
// of the gradient could be on one side of it in float and on the other in double.
constexpr double min_distance = 5e-6;

std::vector<Architecture> architectures() {
    using A = Architecture;
    A dark = A(6, 7, 1).normalization().convolution(5, 2, 2, false).normalization(true).flatten().dense(3);
    dark.input.offset = 20;  // pixels from 20 to 21: their mean is many times their spread
    return {
        // Additions of maps from an earlier stage, Winograd convolutions with and without padding, and vectors.
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
        // Normalisations of the image, twice in a row, and of the logits; a stage that ends with a pooled convolution.
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
        // Normalisations of vectors alone.
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

// Returns 0, 1, ..., count - 1.
std::vector<int64_t> in_order(int64_t count) {
    std::vector<int64_t> order;
    for (int64_t i = 0; i < count; ++i) order.push_back(i);
    return order;
}

// Returns settings of plain gradient descent, without momentum, as the naive network has it.
Settings descent() {
    Settings settings;
    settings.optimizer.kind = OptimizerKind::sgd;
    settings.dropout_key = dropout_key;
    return settings;
}

// The weights before and after an epoch of plain descent by the naive network.
struct Case {
    Architecture architecture;
    int64_t batch_size;
    std::vector<Weights> start, wanted;
    std::vector<uint8_t> images;
    std::vector<int64_t> labels;
    DescentResult naive;
};

std::vector<Case> make_cases() {
    std::vector<Case> cases;
    uint64_t seed = 601;
    for (const Architecture& a : architectures()) {
        // A slice has 8 images, and a batch is divided into at most 16 shards of slices: one image, one slice, 17
        // slices, and second batches of one and of nine images.
        for (auto [count, batch_size] : {std::pair<int64_t, int64_t>{1, 1}, {8, 8}, {136, 136}, {25, 24}, {33, 24}}) {
            Case c = {a, batch_size, {}, {}, {}, {}, {}};
            // Draw data and weights until no number comes too close to a jump.
            for (c.naive.distance_from_jumps = 0; c.naive.distance_from_jumps < min_distance;) {
                const RandomData data(a, count, ++seed);
                c.start = c.wanted = random_weights(a, seed);
                c.images = data.bytes;
                c.labels = data.labels;
                c.naive = train_naively(a, c.wanted, data.images(0, count), data.labels, batch_size, rate, dropout_key,
                                        min_distance);
            }
            cases.push_back(c);
        }
    }
    return cases;
}

// Checks that numbers moved from `start` to `want`, within 1e-4 of the longest move. The moves are differences of
// floats of size 1 to 10, so their errors do not shrink with them: the longest move counts as at least 0.02, which
// allows 2e-6.
void check_moved(const Numbers& got, const Numbers& start, const Numbers& want) {
    Numbers got_moves, moves;
    for (std::size_t i = 0; i < start.size(); ++i) {
        got_moves.push_back(got[i] - start[i]);
        moves.push_back(want[i] - start[i]);
    }
    CHECK_NEAR_ALL(got_moves.data(), moves, 1e-4, 2e-2);
}

// A watcher that stops the work at its question number `questions`, counted from 0.
class StopAfterQuestions final : public Watcher {
   public:
    explicit StopAfterQuestions(int questions) : remaining_(questions) {}
    bool go_on(const Score&) override { return remaining_-- > 0; }

   private:
    int remaining_;
};

}  // namespace

TEST(training_steps_with_batch_statistics_match_the_naive_network) {
    static const std::vector<Case> cases = make_cases();  // once for all instruction sets, since plain loops take long
    for (const Case& c : cases) {
        Engine engine(c.architecture, c.start, kernels);
        NeverStop watcher;
        const std::vector<int64_t> order = in_order(static_cast<int64_t>(c.labels.size()));
        const Score score =
            engine.train(c.images, c.labels, order, c.batch_size, static_cast<float>(rate), 2, watcher, descent());
        // In a batch of one image the variance of each number of a vector is 0, so every normalisation divides its
        // rounding error by sqrt(epsilon), 0.03.
        const double tolerance = c.labels.size() == 1 ? 1e-4 : 1e-5;
        CHECK_NEAR(score.loss, c.naive.loss, tolerance * c.naive.loss);
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
    NeverStop watcher;
    for (const Architecture& a : architectures()) {
        for (auto [count, batch_size] : {std::pair<int64_t, int64_t>{129, 64}, {73, 64}, {136, 136}, {17, 5}}) {
            const RandomData data(a, count, ++seed);
            const std::vector<Weights> start = random_weights(a, seed);
            Engine single(a, start, kernels);
            std::vector<Weights> gradients, threaded_gradients;
            const Score score = single.train(data.bytes, data.labels, in_order(count), batch_size, 0.01f, 1, watcher);
            const double loss = single.gradients(data.bytes, data.labels, batch_size, 1, gradients);
            for (int threads : {2, 3, 7}) {
                Engine threaded(a, start, kernels);
                const Score threaded_score =
                    threaded.train(data.bytes, data.labels, in_order(count), batch_size, 0.01f, threads, watcher);
                CHECK(threaded_score.loss == score.loss && threaded_score.correct == score.correct);
                CHECK(threaded_score.images == count);
                for (Parameters::Field field : {Parameters::weights, Parameters::m, Parameters::v}) {
                    CHECK(equal(threaded.read(field), single.read(field)));
                }
                CHECK(threaded.gradients(data.bytes, data.labels, batch_size, threads, threaded_gradients) == loss);
                CHECK(equal(threaded_gradients, gradients));
            }
        }
    }
}

TEST(training_stopped_in_any_stage_leaves_whole_steps) {
    const Architecture a = architectures().front();
    constexpr int64_t count = 40, batch_size = 20;
    const RandomData data(a, count, 641);
    const std::vector<Weights> start = random_weights(a, 641);
    NeverStop never_stop;
    std::vector<std::vector<Weights>> after = {start};  // after 0, 1 and 2 steps
    for (int64_t images : {batch_size, count}) {
        Engine engine(a, start, kernels);
        engine.train(data.bytes, data.labels, in_order(images), batch_size, 0.01f, 1, never_stop, descent());
        after.push_back(engine.read(Parameters::weights));
    }
    // Stop at every question that the trainer asks in turn, until both steps are made.
    int64_t steps = 0;
    for (int questions = 0; steps < 2; ++questions) {
        Engine engine(a, start, kernels);
        StopAfterQuestions watcher(questions);
        const Score score =
            engine.train(data.bytes, data.labels, in_order(count), batch_size, 0.01f, 1, watcher, descent());
        CHECK(engine.steps >= steps && score.images == engine.steps * batch_size);
        steps = engine.steps;
        CHECK(equal(engine.read(Parameters::weights), after[static_cast<std::size_t>(steps)]));
    }
}

}  // namespace convscope::test
