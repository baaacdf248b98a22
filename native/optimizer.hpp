// The optimizers by name, their settings, and the factors of one step; kernels/optimizers.cpp takes the step.
#pragma once

#include <cmath>

#include "fields.hpp"
#include "kernels/kernels.hpp"

namespace convscope {

constexpr Named<OptimizerKind> optimizer_names[] = {{"Adam", OptimizerKind::adam}, {"SGD", OptimizerKind::sgd}};
constexpr std::span<const Named<OptimizerKind>> names_of(OptimizerKind) { return optimizer_names; }

enum class Decayed { all, kernels };
constexpr Named<Decayed> decayed_names[] = {{"all", Decayed::all}, {"kernels", Decayed::kernels}};
constexpr std::span<const Named<Decayed>> names_of(Decayed) { return decayed_names; }

// The settings, which recipes/optimizers.py describes.
struct Optimizer {
    OptimizerKind kind = OptimizerKind::adam;
    double beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7;  // Adam only
    double momentum = 0;                                  // gradient descent only
    bool nesterov = false;
    double weight_decay = 0;
    Decayed decayed = Decayed::all;

    template <class Visit>
    static constexpr void for_fields(Visit visit) {
        visit("kind", &Optimizer::kind);
        visit("beta_1", &Optimizer::beta_1);
        visit("beta_2", &Optimizer::beta_2);
        visit("epsilon", &Optimizer::epsilon);
        visit("momentum", &Optimizer::momentum);
        visit("nesterov", &Optimizer::nesterov);
        visit("weight_decay", &Optimizer::weight_decay);
        visit("decayed", &Optimizer::decayed);
    }

    // Returns the factors of step `number`, from 1 on. Adam's rate makes up for m and v, which start at 0.
    OptimizerStep step(double learning_rate, int64_t number) const {
        const double t = static_cast<double>(number);
        double rate = learning_rate;
        if (kind == OptimizerKind::adam) rate = rate * std::sqrt(1 - std::pow(beta_2, t)) / (1 - std::pow(beta_1, t));
        return {.kind = kind,
                .rate = static_cast<float>(rate),
                .kept = static_cast<float>(1 - learning_rate * weight_decay),
                .one_minus_beta_1 = static_cast<float>(1 - beta_1), .one_minus_beta_2 = static_cast<float>(1 - beta_2),
                .epsilon = static_cast<float>(epsilon),
                .momentum = static_cast<float>(momentum), .nesterov = nesterov,
                .kernels_alone_decay = decayed == Decayed::kernels};
    }
};

}  // namespace convscope
