// Buffers of a CSV file by their ids, as messages and JSON name them.
#pragma once

#include <string>
#include <vector>

#include "lowtide/io/interval_csv.h"
#include "lowtide/io/json_fields.h"

namespace lowtide::cli {

// At most a dozen of them.
std::string some_names(const IntervalCsv& csv, const std::vector<BufferId>& buffers);

OrderedJson ids_json(const IntervalCsv& csv, const std::vector<BufferId>& buffers);

}  // namespace lowtide::cli
