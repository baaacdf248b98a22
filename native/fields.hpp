// Names of the engine's settings and of their choices. Python and the page use these names, so there is no second list
// that could differ.
//
// A struct lists its fields in `for_fields(visit)`, which calls visit(name, pointer to member) for each. An enum lists
// its values in `names_of(Enum{})`.
#pragma once

#include <span>

namespace convscope {

template <class Value>
struct Named {
    const char* name;
    Value value;
};

}  // namespace convscope
