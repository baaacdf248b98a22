// Training: the same bits with any number of threads, resuming from a saved state, and a loss that falls.
#include <cmath>

#include "check.hpp"
#include "engine.hpp"
#include "numbers.hpp"

namespace convscope::test {
namespace {

constexpr int64_t side = 12, classes = 4;

Architecture small_network() {
    return Architecture(side, side, 1)
        .convolution(8, 3, 3)
        .max_pooling(2, 2, {2, 2})
        .convolution(17, 3, 3, true, same)
        .flatten()
        .dense(20, true)
        .dense(classes);
}

// Images of noise with one bright quarter, whose number is the label, and a random order of them.
struct Quarters {
    explicit Quarters(int64_t count, uint64_t seed) {
        Random random(seed);
        for (int64_t i = 0; i < count; ++i) {
            const int64_t label = random.below(classes);
            labels.push_back(label);
            for (int64_t y = 0; y < side; ++y) {
                for (int64_t x = 0; x < side; ++x) {
                    const bool bright = y / (side / 2) == label / 2 && x / (side / 2) == label % 2;
                    images.push_back(static_cast<uint8_t>(random.byte() / 2 + (bright ? 90 : 0)));
                }
            }
            order.push_back(i);
        }
        for (int64_t i = count; i-- > 1;) {  // shuffles (Fisher and Yates)
            std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(random.below(i + 1))]);
        }
    }
    std::vector<uint8_t> images;
    std::vector<int64_t> labels, order;
};

Architecture with_every_layer() {
    return Architecture(side, side, 1)
        .dropout(0.1)
        .convolution(9, 3, 3)
        .max_pooling(2, 2, {2, 2})
        .dropout(0.2)
        .convolution(18, 3, 3, false, same)
        .activated(Activation::gelu)
        .zero_padding(1, 0, 0, 2)
        .depthwise(2, 3, 3, false)
        .activation(Activation::leaky_relu, 0.1f)
        .average_pooling(2, 2, {1, 1, true})
        .prelu()
        .flatten()
        .dropout(0.5)
        .dense(20)
        .activated(Activation::tanh)
        .dense(classes);
}

const std::vector<float> class_weights = {2, 1, 0.5f, 0};

// Returns settings that use most options at once.
Settings every_setting() {
    Settings settings;
    settings.optimizer.kind = OptimizerKind::sgd;
    settings.optimizer.momentum = 0.9;
    settings.optimizer.nesterov = true;
    settings.optimizer.weight_decay = 0.1;
    settings.optimizer.decayed = Decayed::kernels;
    settings.loss = {0.1f, class_weights};
    settings.augmentation.shift = 2;
    settings.augmentation.rotation = 10;
    settings.augmentation.stretch = 0.1;
    settings.augmentation.elastic = 1;
    settings.augmentation.horizontal_flip = true;
    settings.augmentation.cutout = 3;
    settings.augmentation.noise = 5;
    settings.augmentation.key = 77;
    settings.dropout_key = 78;
    settings.clip_norm = 0.5;
    settings.averaging = 0.8;
    return settings;
}

// Returns entries [begin, end) of `order`.
std::vector<int64_t> part(const std::vector<int64_t>& order, std::size_t begin, std::size_t end) {
    return {order.begin() + static_cast<std::ptrdiff_t>(begin), order.begin() + static_cast<std::ptrdiff_t>(end)};
}

// Checks that the weights are start - rate gradients.
void check_moved(const std::vector<Weights>& weights, const std::vector<Weights>& start,
                 const std::vector<Weights>& gradients, double rate) {
    for (std::size_t l = 0; l < start.size(); ++l) {
        for (std::size_t i = 0; i < start[l].kernel.size(); ++i) {
            CHECK_NEAR(weights[l].kernel[i], start[l].kernel[i] - rate * gradients[l].kernel[i], 1e-6);
        }
        for (std::size_t i = 0; i < start[l].bias.size(); ++i) {
            CHECK_NEAR(weights[l].bias[i], start[l].bias[i] - rate * gradients[l].bias[i], 1e-6);
        }
    }
}

// A watcher that stops the work after a number of images.
class StopAfterImages final : public Watcher {
   public:
    explicit StopAfterImages(int64_t images) : images_(images) {}
    bool go_on(const Score& score) override { return score.images < images_; }

   private:
    int64_t images_;
};

}  // namespace

TEST(training_gives_the_same_bits_on_any_number_of_threads) {
    const Quarters data(150, 201);
    const std::vector<Weights> start = random_weights(small_network(), 202);
    NeverStop watcher;
    for (int64_t batch_size : {64, 150, 5}) {
        Engine single(small_network(), start, kernels);
        const Score score = single.train(data.images, data.labels, data.order, batch_size, 0.003f, 1, watcher);
        CHECK(!equal(single.read(Parameters::weights), start));
        for (int threads : {2, 3, 7}) {
            Engine threaded(small_network(), start, kernels);
            const Score again =
                threaded.train(data.images, data.labels, data.order, batch_size, 0.003f, threads, watcher);
            CHECK(again.loss == score.loss && again.correct == score.correct && again.images == score.images);
            for (Parameters::Field field : {Parameters::weights, Parameters::m, Parameters::v}) {
                CHECK(equal(threaded.read(field), single.read(field)));
            }
        }
    }
}

TEST(training_with_every_layer_and_setting_gives_the_same_bits_on_any_number_of_threads) {
    const Quarters data(150, 216);
    const std::vector<Weights> start = random_weights(with_every_layer(), 217);
    NeverStop watcher;
    Engine single(with_every_layer(), start, kernels);
    const Score score = single.train(data.images, data.labels, data.order, 64, 0.01f, 1, watcher, every_setting());
    CHECK(!equal(single.read(Parameters::weights), single.read(Parameters::unaveraged)));
    for (int threads : {2, 3, 7}) {
        Engine threaded(with_every_layer(), start, kernels);
        const Score again =
            threaded.train(data.images, data.labels, data.order, 64, 0.01f, threads, watcher, every_setting());
        CHECK(again.loss == score.loss && again.correct == score.correct && again.images == score.images);
        for (Parameters::Field field : {Parameters::weights, Parameters::m, Parameters::unaveraged}) {
            CHECK(equal(threaded.read(field), single.read(field)));
        }
    }
}

TEST(gradients_have_the_same_bits_on_any_number_of_threads) {
    const Quarters data(70, 203);
    Engine engine(small_network(), random_weights(small_network(), 204), kernels);
    std::vector<Weights> single, three;
    const double loss = engine.gradients(data.images, data.labels, 32, 1, single);
    CHECK(engine.gradients(data.images, data.labels, 32, 3, three) == loss);
    CHECK(equal(single, three));
}

TEST(the_first_training_step_with_adam_has_the_size_of_the_rate) {
    const Quarters data(24, 205);
    const std::vector<Weights> start = random_weights(small_network(), 206);
    Engine engine(small_network(), start, kernels);
    std::vector<Weights> gradients;
    engine.gradients(data.images, data.labels, 24, 2, gradients);
    std::vector<int64_t> order;
    for (int64_t i = 0; i < 24; ++i) order.push_back(i);
    NeverStop watcher;
    engine.train(data.images, data.labels, order, 24, 0.01f, 2, watcher);
    CHECK(engine.steps == 1);
    const std::vector<Weights> m = engine.read(Parameters::m), after = engine.read(Parameters::weights);
    for (std::size_t l = 0; l < start.size(); ++l) {
        for (std::size_t i = 0; i < start[l].kernel.size(); ++i) {
            const double g = gradients[l].kernel[i];
            CHECK_NEAR(m[l].kernel[i], 0.1 * g, 1e-6);
            if (std::fabs(g) < 1e-3) continue;  // where epsilon and rounding decide
            // Adam's first step is rate m / sqrt(v) with m = g and v = g^2: the rate, with the sign of g.
            CHECK_NEAR(after[l].kernel[i], start[l].kernel[i] - (g > 0 ? 0.01 : -0.01), 1e-4);
        }
    }
}

TEST(a_step_weighs_images_by_their_class_and_their_own_weight_and_smooths_their_labels) {
    const int64_t count = 24;
    const float smoothing = 0.2f;
    const Quarters data(count, 218);
    std::vector<float> weights;
    for (int64_t i = 0; i < count; ++i) weights.push_back(static_cast<float>(i % 5) / 2);
    const std::vector<Weights> start = random_weights(small_network(), 219);
    std::vector<Weights> wanted = zeros_like(start);
    double wanted_loss = 0;
    for (int64_t i = 0; i < count; ++i) {
        const int64_t label = data.labels[static_cast<std::size_t>(i)];
        for (int64_t k = 0; k < classes; ++k) {  // cross-entropy is linear in its target
            const double even = static_cast<double>(smoothing) / classes;
            const double target = (k == label ? 1 - static_cast<double>(smoothing) : 0) + even;
            const double weight = static_cast<double>(weights[static_cast<std::size_t>(i)]);
            const double share = weight * target * static_cast<double>(class_weights[static_cast<std::size_t>(label)]);
            const uint8_t* image = data.images.data() + i * side * side;
            wanted_loss += share * add_gradients(small_network(), start, {image}, {k}, share / count, &wanted);
        }
    }
    double squares = 0;
    for (const Weights& layer : wanted) {
        for (double g : layer.kernel) squares += g * g;
        for (double g : layer.bias) squares += g * g;
    }
    const double norm = std::sqrt(squares);
    // A limit of 0 or above the gradient's norm changes nothing.
    for (double clip_norm : {0.0, 2 * norm, norm / 3}) {
        Settings settings;
        settings.optimizer.kind = OptimizerKind::sgd;
        settings.loss = {smoothing, class_weights};
        settings.clip_norm = clip_norm;
        Engine engine(small_network(), start, kernels);
        NeverStop watcher;
        const Score score =
            engine.train(data.images, data.labels, data.order, count, 0.5f, 2, watcher, settings, 0, weights.data());
        CHECK_NEAR(score.loss, wanted_loss, 1e-5 * wanted_loss);
        const double rate = clip_norm > 0 && clip_norm < norm ? 0.5 * clip_norm / norm : 0.5;
        check_moved(engine.read(Parameters::weights), start, wanted, rate);
    }
}

TEST(a_step_drops_the_same_values_as_the_naive_network) {
    const int64_t count = 24;
    const Architecture a = with_every_layer();
    const Quarters data(count, 220);
    const std::vector<Weights> start = random_weights(a, 221);
    std::vector<Weights> wanted = zeros_like(start);
    std::vector<const uint8_t*> images;
    std::vector<int64_t> labels;
    for (int64_t i : data.order) {
        images.push_back(data.images.data() + i * side * side);
        labels.push_back(data.labels[static_cast<std::size_t>(i)]);
    }
    const Training training = {78, 0};  // the dropout key and the position of the first image
    const double wanted_loss = add_gradients(a, start, images, labels, 1.0 / count, &wanted, &training);
    Settings settings;
    settings.optimizer.kind = OptimizerKind::sgd;
    settings.dropout_key = 78;
    Engine engine(a, start, kernels);
    NeverStop watcher;
    const Score score = engine.train(data.images, data.labels, data.order, count, 0.5f, 2, watcher, settings);
    CHECK_NEAR(score.loss, wanted_loss, 1e-5 * wanted_loss);
    check_moved(engine.read(Parameters::weights), start, wanted, 0.5);
}

TEST(training_resumes_from_a_saved_state_bit_for_bit) {
    const Quarters data(128, 207);
    const std::vector<Weights> start = random_weights(small_network(), 208);
    NeverStop watcher;
    Engine whole(small_network(), start, kernels);
    whole.train(data.images, data.labels, data.order, 32, 0.003f, 2, watcher);

    Engine first(small_network(), start, kernels);
    first.train(data.images, data.labels, part(data.order, 0, 64), 32, 0.003f, 2, watcher);
    Engine second(small_network(), first.read(Parameters::weights), kernels);
    second.write(Parameters::m, first.read(Parameters::m));
    second.write(Parameters::v, first.read(Parameters::v));
    second.steps = first.steps;
    second.train(data.images, data.labels, part(data.order, 64, 128), 32, 0.003f, 3, watcher);
    CHECK(second.steps == whole.steps && whole.steps == 4);
    for (Parameters::Field field : {Parameters::weights, Parameters::m, Parameters::v}) {
        CHECK(equal(second.read(field), whole.read(field)));
    }
}

TEST(an_epoch_in_pieces_gives_the_bits_of_a_whole_epoch) {
    const Quarters data(90, 74);
    const Architecture a = with_every_layer();
    const std::vector<Weights> start = random_weights(a, 75);
    NeverStop watcher;
    Settings settings = every_setting();
    settings.averaging = 0;  // with averaging, the weights after the first piece would be the average
    Engine whole(a, start, kernels), parts(a, start, kernels);
    whole.train(data.images, data.labels, data.order, 32, 0.01f, 1, watcher, settings);
    parts.train(data.images, data.labels, part(data.order, 0, 32), 32, 0.01f, 1, watcher, settings);
    parts.train(data.images, data.labels, part(data.order, 32, 90), 32, 0.01f, 1, watcher, settings, 32);
    CHECK(parts.steps == whole.steps);
    CHECK(equal(parts.read(Parameters::weights), whole.read(Parameters::weights)));
}

TEST(weights_and_moments_are_read_back_bit_for_bit) {
    const Architecture a = Architecture(5, 5, 3).convolution(33, 2, 3).flatten().dense(3);
    Engine engine(a, random_weights(a, 209), kernels);
    uint64_t seed = 210;
    for (Parameters::Field field : {Parameters::weights, Parameters::m, Parameters::v}) {
        const std::vector<Weights> values = random_weights(a, ++seed);
        engine.write(field, values);
        CHECK(equal(engine.read(field), values));
    }
}

TEST(a_stopped_training_leaves_whole_steps) {
    const Quarters data(96, 211);
    const std::vector<Weights> start = random_weights(small_network(), 212);
    Engine stopped(small_network(), start, kernels), expected(small_network(), start, kernels);
    StopAfterImages watcher(64);
    NeverStop never_stop;
    const Score score = stopped.train(data.images, data.labels, data.order, 32, 0.003f, 2, watcher);
    CHECK(score.images == 64 && stopped.steps == 2);
    expected.train(data.images, data.labels, part(data.order, 0, 64), 32, 0.003f, 2, never_stop);
    CHECK(equal(stopped.read(Parameters::weights), expected.read(Parameters::weights)));

    // The first thread asks the watcher after each of its slices. If the second thread takes all slices, the step is
    // complete before the first asks.
    StopAfterImages at_once(0);
    const Score rest = stopped.train(data.images, data.labels, data.order, 32, 0.003f, 2, at_once);
    CHECK(rest.images == 0 || rest.images == 32);
    if (rest.images > 0) expected.train(data.images, data.labels, part(data.order, 0, 32), 32, 0.003f, 2, never_stop);
    CHECK(stopped.steps == expected.steps);
    CHECK(equal(stopped.read(Parameters::weights), expected.read(Parameters::weights)));

    const Score none = stopped.train(data.images, data.labels, data.order, 32, 0.003f, 1, at_once);
    CHECK(none.images == 0 && stopped.steps == expected.steps);
    CHECK(equal(stopped.read(Parameters::weights), expected.read(Parameters::weights)));
}

TEST(training_allocates_nothing_after_preparation) {
    const Architecture a = small_network();
    const Quarters data(70, 5);
    Network network(a.input, a.layers, kernels);
    Settings settings;
    settings.clip_norm = 1;
    const std::vector<float> rates(10, 1e-3f);
    Images images;
    images.bytes = data.images.data();
    images.labels = data.labels.data();
    images.indices = data.order.data();
    int64_t last = 0, steps = 0;
    for (int64_t batch_size : {8, 16, 32}) {
        const int64_t before = requested_bytes;
        Trainer trainer(network, 1, batch_size);
        trainer.prepare(settings);
        const int64_t prepared = requested_bytes - before;
        CHECK(prepared > last);  // a larger batch takes more
        last = prepared;
        NeverStop watcher;
        trainer.train(images, 70, settings, rates.data(), steps, watcher);
        CHECK(requested_bytes - before == prepared);
    }
}

TEST(a_network_learns_the_brightest_quarter) {
    const Quarters train(256, 213), test(200, 214);
    Engine engine(small_network(), random_weights(small_network(), 215), kernels);
    NeverStop watcher;
    Score last;
    for (int epoch = 0; epoch < 6; ++epoch) {
        last = engine.train(train.images, train.labels, train.order, 32, 0.003f, 2, watcher);
    }
    CHECK(last.images == 256 && last.correct > 250);  // nearly all: the quarters are easy to tell apart
    const std::vector<float> logits = engine.logits(test.images, 200, 2);
    int64_t correct = 0;
    for (std::size_t i = 0; i < test.labels.size(); ++i) {
        const float* row = logits.data() + i * classes;
        correct += std::max_element(row, row + classes) - row == test.labels[i];
    }
    CHECK(correct > 190);  // of 200; by chance 50
}

}  // namespace convscope::test
