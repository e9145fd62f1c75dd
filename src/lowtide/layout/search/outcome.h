// How a search for a layout within a capacity ended.
#pragma once

namespace lowtide {

enum class Outcome {
  kFound,
  kExhausted,  // proved: there is none
  kStopped,    // by its limits: proves nothing
};

}  // namespace lowtide
