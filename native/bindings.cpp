// The Python module `_native`. The engine reads and writes NumPy's arrays in place. The GIL is released while it works,
// and taken now and then to handle signals and to call `progress`. native.py has checked the arguments.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include "layer_gradients.hpp"
#include "ablations.hpp"
#include "peak.hpp"
#include "prediction.hpp"
#include "python_watcher.hpp"

namespace nb = nanobind;

namespace convscope {
namespace {

template <class Element>
using In = nb::ndarray<const Element, nb::c_contig, nb::device::cpu>;
using Out = nb::ndarray<float, nb::c_contig, nb::device::cpu>;
using Outs = std::vector<Out>;

const Kernels* find_kernels_or_throw(const std::string& name) {
    if (name.empty()) return usable_kernels().front();
    const Kernels* kernels = find_kernels(name.c_str());
    if (kernels == nullptr) throw nb::value_error(("this processor cannot use the instruction set " + name).c_str());
    return kernels;
}

template <class Enum>
const char* first_name(Enum value) {  // a value may have several names, as max pooling has
    for (const auto& choice : names_of(value)) {
        if (choice.value == value) return choice.name;
    }
    return "";
}

std::array<int64_t, 3> sizes(const Shape& shape) { return {shape.height, shape.width, shape.channels}; }

template <class Enum>
Enum parse(const std::string& name) {
    std::string known;
    for (const auto& choice : names_of(Enum{})) {
        if (name == choice.name) return choice.value;
        known += (known.empty() ? "" : ", ") + std::string(choice.name);
    }
    throw nb::value_error(("the engine has no " + name + "; it has " + known).c_str());
}

// Makes every field of a struct an attribute in Python. An enum is a string, the name of its value.
template <class Struct>
nb::class_<Struct> bind_fields(nb::module_& module, const char* name) {
    nb::class_<Struct> bound(module, name);
    bound.def(nb::init<>());
    Struct::for_fields([&](const char* name, auto field) {
        using Value = std::remove_reference_t<decltype(std::declval<Struct&>().*field)>;
        if constexpr (std::is_enum_v<Value>) {
            bound.def_prop_rw(name, [field](const Struct& self) { return first_name(self.*field); },
                              [field](Struct& self, const std::string& choice) { self.*field = parse<Value>(choice); });
        } else if constexpr (std::is_same_v<Value, Shape>) {
            bound.def_prop_rw(name, [field](const Struct& self) { return sizes(self.*field); },
                              [field](Struct& self, const std::array<int64_t, 3>& n) { self.*field = {n[0], n[1], n[2]}; });
        } else {
            bound.def_rw(name, field);
        }
    });
    return bound;
}

Input input(const std::vector<int64_t>& image, float scale, float offset) {
    return {{image.at(0), image.at(1), image.at(2)}, scale, offset};
}

class Core {
   public:
    Core(const std::vector<int64_t>& image, float scale, float offset,
         const std::vector<Layer>& layers, int threads, const std::string& instruction_set)
        : threads_(threads), kernels_(find_kernels_or_throw(instruction_set)),
          network_(input(image, scale, offset), layers, *kernels_) {}

    int threads() const { return threads_; }
    const char* instruction_set() const { return kernels_->name; }
    int64_t steps() const { return steps_; }

    void set_steps(int64_t steps) {
        const Turn turn(*this, true);
        steps_ = steps;
    }

    // Whether the model's weights are averages, so that training resumes from others.
    bool averaged() {
        const Turn turn(*this, false);
        for (std::size_t layer = 0; layer < network_.layers().size(); ++layer) {
            const Parameters* parameters = network_.parameters(layer);
            if (parameters != nullptr && parameters->averaged()) return true;
        }
        return false;
    }

    // Whether the layer's kernels are rounded, so that it also has unrounded ones.
    bool rounded(std::size_t layer) {
        const Turn turn(*this, false);
        return network_.parameters(layer)->rounded();
    }

    void write(std::size_t layer, const std::string& field, In<float> kernel, In<float> bias) {
        const auto which = parse<Parameters::Field>(field);
        const Turn turn(*this, true);
        network_.parameters(layer)->write(which, kernel.data(), bias.data());
    }

    // Between trainings, `means` of an averaged network are averages, and `standby_means` are those that training resumes
    // from, the unaveraged. A network that is not averaged has no standby: its means are the unaveraged too.
    void write_moving(std::size_t layer, bool unaveraged, In<float> means, In<float> variances) {
        const Turn turn(*this, true);
        MovingStatistics& moving = *network_.moving(layer);
        if (unaveraged) moving.start_averaging();  // makes the standby
        std::copy_n(means.data(), means.size(), (unaveraged ? moving.standby_means : moving.means).begin());
        std::copy_n(variances.data(), variances.size(), (unaveraged ? moving.standby_variances : moving.variances).begin());
    }

    void read_moving(std::size_t layer, bool unaveraged, Out means, Out variances) {
        const Turn turn(*this, false);
        const MovingStatistics& moving = *network_.moving(layer);
        const bool stands_by = unaveraged && moving.averaged();
        std::copy_n((stands_by ? moving.standby_means : moving.means).begin(), means.size(), means.data());
        std::copy_n((stands_by ? moving.standby_variances : moving.variances).begin(), variances.size(), variances.data());
    }

    void read(std::size_t layer, const std::string& field, Out kernel, Out bias) {
        const auto which = parse<Parameters::Field>(field);
        const Turn turn(*this, false);
        network_.parameters(layer)->read(which, kernel.data(), bias.data());
    }

    // `so_far` is the result for the images of the epoch before those of `order`, and the new result includes it.
    nb::tuple train(In<uint8_t> images, In<int64_t> labels, In<float> weights, In<int64_t> order, int64_t batch_size,
                    In<float> learning_rates, const Settings& settings, nb::object progress,
                    std::tuple<int64_t, double, int64_t> so_far) {
        PythonWatcher watcher(progress);
        Score score = {std::get<0>(so_far), std::get<1>(so_far), std::get<2>(so_far)};
        const auto count = static_cast<int64_t>(order.size());
        {
            const Turn turn(*this, true);
            Trainer trainer(network_, threads_, count < batch_size ? count : batch_size);
            Images ordered = {images.data(), labels.data(), order.data(), {}};
            if (weights.is_valid()) ordered.weights = weights.data();
            ordered.chance.first = score.images;
            score = trainer.train(ordered, count, settings, learning_rates.data(), steps_, watcher, score);
        }
        watcher.rethrow();
        return nb::make_tuple(score.images, score.loss, score.correct);
    }

    double gradients(In<uint8_t> images, In<int64_t> labels, std::vector<std::size_t> layers, Outs kernels, Outs biases) {
        Score score;
        run_watched([&](Watcher& watcher) {
            const auto count = static_cast<int64_t>(labels.size());
            std::vector<Buffer<float>> sums(network_.layers().size());
            for (std::size_t layer : layers) sums[layer] = make_buffer<float>(network_.parameters(layer)->size());
            Trainer trainer(network_, threads_, count < 256 ? count : 256);
            score = trainer.gradients({images.data(), labels.data(), nullptr, {}}, count, {}, sums, watcher);
            for (std::size_t i = 0; i < layers.size(); ++i) {
                network_.parameters(layers[i])->unpack(sums[layers[i]].data(), kernels[i].data(), biases[i].data());
            }
        });
        return score.loss;
    }

    void logits(In<uint8_t> images, Out logits) {
        const int64_t classes = network_.classes();
        run_watched([&](Watcher& watcher) {
            // A signal handler may call this function again within the call. It then makes a predictor of its own.
            std::unique_ptr<Predictor> predictor = std::move(predictor_);
            if (!predictor) predictor = std::make_unique<Predictor>(network_, network_.plan(), Kept::logits);
            const auto take = [&](const Workspace& workspace, int64_t begin, int64_t end) {
                for (int64_t i = begin; i < end; ++i) {
                    const float* from = workspace.values.back().image(i - begin);
                    std::copy(from, from + classes, logits.data() + i * classes);
                }
            };
            predictor->predict(threads_, view(images), static_cast<int64_t>(logits.shape(0)), take, watcher);
            predictor_ = std::move(predictor);
        });
    }

    void activations(In<uint8_t> images, std::vector<std::size_t> layers, Outs outputs) {
        const int64_t count = outputs.empty() ? 0 : static_cast<int64_t>(outputs[0].shape(0));
        run_watched([&](Watcher& watcher) {
            std::unique_ptr<PlannedPredictor> planned = std::move(outputs_);  // for the same reason as in `logits`
            if (!planned) planned = std::make_unique<PlannedPredictor>(network_, Purpose::outputs, Kept::maps);
            const auto take = [&](const Workspace& workspace, int64_t begin, int64_t end) {
                for (std::size_t j = 0; j < layers.size(); ++j) {
                    const int64_t size = network_.layers()[layers[j]].output.size();
                    for (int64_t i = begin; i < end; ++i) {
                        network_.read_layer(planned->plan, workspace, layers[j], i - begin, outputs[j].data() + i * size);
                    }
                }
            };
            planned->predictor.predict(threads_, view(images), count, take, watcher);
            outputs_ = std::move(planned);
        });
    }

    void layer_gradients(In<uint8_t> images, In<float> dlogits, std::vector<int64_t> layers, Outs outputs) {
        std::vector<LayerGradient> wanted;
        for (std::size_t j = 0; j < layers.size(); ++j) wanted.push_back({layers[j], outputs[j].data()});
        run_watched([&](Watcher& watcher) {
            std::unique_ptr<LayerGradients> gradients = std::move(gradients_);  // for the same reason as in `logits`
            if (!gradients) gradients = std::make_unique<LayerGradients>(network_);
            gradients->compute(threads_, view(images), static_cast<int64_t>(images.shape(0)), dlogits.data(), wanted, watcher);
            gradients_ = std::move(gradients);
        });
    }

    // Writes logits, (ablations, images, classes). Ablation i makes the replacements [ends[i - 1], ends[i]).
    void ablation_logits(In<uint8_t> images, In<int64_t> ends, In<int64_t> layers, In<int64_t> filters, In<float> values,
                         Out logits) {
        std::vector<Ablation> ablations(ends.size());
        std::size_t next = 0;
        for (std::size_t i = 0; i < ablations.size(); ++i) {
            for (; static_cast<int64_t>(next) < ends.data()[i]; ++next) {
                ablations[i].push_back({static_cast<std::size_t>(layers.data()[next]), filters.data()[next], values.data()[next]});
            }
        }
        run_watched([&](Watcher& watcher) {
            convscope::ablation_logits(network_, threads_, view(images), static_cast<int64_t>(images.shape(0)), ablations,
                                       logits.data(), watcher);
        });
    }

   private:
    // One thread's turn at the network, without the GIL. Other threads wait, but the progress callback of a training, in
    // the same thread, takes a turn within the turn: so the lock is recursive.
    //
    //     train: Turn(changes)  ├─ callback reads logits: Turn(does not change)
    //                           └─ callback trains: Turn(changes) throws
    class Turn {
       public:
        // Members are made in the order below: `in_this_process` needs the GIL, and waiting for the lock with the GIL would
        // stop the thread that holds the lock.
        Turn(Core& core, bool changes) : core_(core.in_this_process()), changes_(changes), lock_(*core_.mutex_) {
            if (!changes) return;
            if (core_.changing_) {  // this thread does, since it has the lock
                throw std::runtime_error("a progress callback cannot change the network during its training");
            }
            core_.changer_ = std::this_thread::get_id();
            core_.changing_ = true;
        }
        ~Turn() { if (changes_) core_.changing_ = false; }
        Turn(const Turn&) = delete;

       private:
        Core& core_;
        const bool changes_;
        nb::gil_scoped_release release_;
        std::lock_guard<std::recursive_mutex> lock_;
    };

    // Makes a new lock after a fork: the parent's threads do not exist in the child and would never unlock the old one,
    // which is not destroyed, since it may be locked. Callers hold the GIL, so only one thread at a time is here.
    Core& in_this_process() {
        const int64_t process = process_id();
        if (process == process_) return *this;
        if (changing_ && changer_ != std::this_thread::get_id()) {
            throw std::runtime_error(
                "another thread was training this network when the process was forked, so its weights are incomplete "
                "here; fork before the training starts, or start processes with the method \"spawn\"");
        }
        static_cast<void>(mutex_.release());
        mutex_ = std::make_unique<std::recursive_mutex>();
        process_ = process;
        return *this;
    }

    // Runs `compute`, which does not change the network, until it ends or an interrupt stops it.
    template <class Compute>
    void run_watched(Compute compute) {
        PythonWatcher watcher{nb::none()};
        {
            const Turn turn(*this, false);
            compute(watcher);
        }
        watcher.rethrow();
    }

    static Images view(const In<uint8_t>& images) { return {images.data(), nullptr, nullptr, {}}; }

    const int threads_;
    const Kernels* const kernels_;
    Network network_;
    std::unique_ptr<Predictor> predictor_;       // for logits; this and the next two are kept between calls
    std::unique_ptr<PlannedPredictor> outputs_;  // for outputs of layers
    std::unique_ptr<LayerGradients> gradients_;
    int64_t steps_ = 0;
    std::unique_ptr<std::recursive_mutex> mutex_ = std::make_unique<std::recursive_mutex>();
    int64_t process_ = process_id();
    bool changing_ = false;
    std::thread::id changer_;  // the thread that is changing the network
};

void augment(In<uint8_t> images, const Augmentation& augmentation, int64_t first, const std::string& instruction_set,
               nb::ndarray<uint8_t, nb::c_contig, nb::device::cpu> output) {
    const Shape shape = {static_cast<int64_t>(images.shape(1)), static_cast<int64_t>(images.shape(2)),
                         static_cast<int64_t>(images.shape(3))};
    const auto count = static_cast<int64_t>(images.shape(0));
    const Kernels* kernels = find_kernels_or_throw(instruction_set);
    const nb::gil_scoped_release release;
    Augmenter augmenter(augmentation, shape, *kernels);
    for (int64_t i = 0; i < count; ++i) {
        const uint8_t* image = augmenter.change(first + i, images.data() + i * shape.size());
        std::copy(image, image + shape.size(), output.data() + i * shape.size());
    }
}

// Returns the bytes of all arrays of a training and of predictions. It allocates them and counts, so none is forgotten.
int64_t training_bytes(const std::vector<int64_t>& image, const std::vector<Layer>& layers, int threads,
                       const std::string& instruction_set, int64_t batch_size, const Settings& settings) {
    const Kernels* kernels = find_kernels_or_throw(instruction_set);
    const nb::gil_scoped_release release;
    const int64_t before = requested_bytes;
    Network network(input(image, 1, 0), layers, *kernels);
    Trainer(network, threads, batch_size).prepare(settings);
    Predictor(network, network.plan(), Kept::logits).prepare(threads);
    return requested_bytes - before;
}

std::vector<std::string> instruction_sets(bool bfloat16) {
    std::vector<std::string> names;
    for (const Kernels* kernels : bfloat16 ? usable_bfloat16_kernels() : usable_kernels()) names.push_back(kernels->name);
    return names;
}

double measure_peak_of(int threads, const std::string& instruction_set, double seconds) {
    const Kernels* kernels = find_kernels_or_throw(instruction_set);
    const nb::gil_scoped_release release;
    return measure_peak(kernels->multiply_add, threads, seconds);
}

}  // namespace
}  // namespace convscope

NB_MODULE(_native, module) {
    using namespace convscope;
    using nb::arg;
    bind_fields<Optimizer>(module, "Optimizer");
    bind_fields<Layer>(module, "Layer");
    bind_fields<Loss>(module, "Loss");
    bind_fields<Augmentation>(module, "Augmentation");
    bind_fields<Settings>(module, "Settings")
        .def_rw("optimizer", &Settings::optimizer)
        .def_rw("loss", &Settings::loss)
        .def_rw("augmentation", &Settings::augmentation);
    module.def("instruction_sets", instruction_sets, arg("bfloat16"),
               "Return the names of the instruction sets usable here, of all or of those that multiply bfloat16 numbers, "
               "the fastest first.");
    module.def("measure_peak", measure_peak_of, arg("threads"), arg("instruction_set"), arg("seconds"),
               "Return how many operations per second these threads reach; a multiply-add is two.");
    module.def("training_bytes", training_bytes,
               "Return the bytes of all arrays that training with this batch size and measuring need.",
               arg("image"), arg("layers"), arg("threads"), arg("instruction_set"), arg("batch_size"), arg("settings"));
    module.def("augment", augment, "Write the augmented images of the training positions from `first`.",
               arg("images"), arg("augmentation"), arg("first"), arg("instruction_set"), arg("output"));
    nb::class_<Core>(module, "Core")
        .def(nb::init<const std::vector<int64_t>&, float, float, const std::vector<Layer>&, int, const std::string&>(),
             arg("image"), arg("scale"), arg("offset"), arg("layers"), arg("threads"), arg("instruction_set"))
        .def_prop_ro("threads", &Core::threads)
        .def_prop_ro("instruction_set", &Core::instruction_set)
        .def_prop_rw("steps", &Core::steps, &Core::set_steps)
        .def_prop_ro("averaged", &Core::averaged)
        .def("rounded", &Core::rounded, arg("layer"))
        .def("write", &Core::write, arg("layer"), arg("field"), arg("kernel"), arg("bias"))
        .def("read", &Core::read, arg("layer"), arg("field"), arg("kernel"), arg("bias"))
        .def("write_moving", &Core::write_moving, arg("layer"), arg("unaveraged"), arg("means"), arg("variances"))
        .def("read_moving", &Core::read_moving, arg("layer"), arg("unaveraged"), arg("means"), arg("variances"))
        .def("train", &Core::train, arg("images"), arg("labels"), arg("weights").none(), arg("order"),
             arg("batch_size"), arg("learning_rates"), arg("settings"), arg("progress").none(), arg("so_far"))
        .def("gradients", &Core::gradients, arg("images"), arg("labels"), arg("layers"), arg("kernels"), arg("biases"))
        .def("logits", &Core::logits, arg("images"), arg("logits"))
        .def("activations", &Core::activations, arg("images"), arg("layers"), arg("outputs"))
        .def("layer_gradients", &Core::layer_gradients, arg("images"), arg("dlogits"), arg("layers"), arg("outputs"))
        .def("ablation_logits", &Core::ablation_logits, arg("images"), arg("ends"), arg("layers"), arg("filters"),
             arg("values"), arg("logits"));
}
