#include "lowtide/cli/buffer_names.h"

#include <algorithm>

#include "lowtide/base/text.h"

namespace lowtide::cli {

std::string some_names(const IntervalCsv& csv, const std::vector<BufferId>& buffers) {
  constexpr std::size_t kNamed = 12;
  std::string names;
  for (std::size_t i = 0; i < std::min(kNamed, buffers.size()); ++i)
    names += (i == 0 ? "" : ", ") + quote(csv.id(buffers[i]));
  if (buffers.size() > kNamed) names += ", ... (all in --json)";
  return names;
}

OrderedJson ids_json(const IntervalCsv& csv, const std::vector<BufferId>& buffers) {
  OrderedJson ids = OrderedJson::array();
  for (BufferId b : buffers) ids.push_back(csv.id(b));
  return ids;
}

}  // namespace lowtide::cli
