#include "lowtide/graph/graph.h"

#include <array>
#include <utility>

namespace lowtide {
namespace {

constexpr std::array<std::pair<TensorKind, const char*>, 6> kKindNames = {{
    {TensorKind::kActivation, "activation"},
    {TensorKind::kInput, "input"},
    {TensorKind::kParameter, "parameter"},
    {TensorKind::kBuffer, "buffer"},
    {TensorKind::kOptimizerState, "optimizer_state"},
    {TensorKind::kConstant, "constant"},
}};

}  // namespace

const char* to_string(TensorKind kind) {
  for (const auto& [known, name] : kKindNames)
    if (known == kind) return name;
  return "?";
}

bool parse_tensor_kind(std::string_view text, TensorKind* kind) {
  for (const auto& [known, name] : kKindNames) {
    if (text != name) continue;
    *kind = known;
    return true;
  }
  return false;
}

}  // namespace lowtide
