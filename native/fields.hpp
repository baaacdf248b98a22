// Names of the engine's settings and of what they can be. Python and the page write fields and choices by these names, so
// there is no second list of numbers or places that could differ.
//
// A struct tells its fields by `for_fields(visit)`, which calls visit(name, pointer to member). An enum tells its values by
// `names_of(Enum{})`.
#pragma once

#include <span>

namespace convscope {

template <class Value>
struct Named {
    const char* name;
    Value value;
};

}  // namespace convscope
