#include "lowtide/cli/files.h"

#include <unistd.h>

#include "lowtide/base/text.h"
#include "lowtide/cli/terminal.h"
#include "lowtide/graph/error.h"
#include "lowtide/io/destination.h"

namespace lowtide::cli {
namespace {

void refuse_one_file(const std::string& output, const std::string& other, const char* what) {
  if (!other.empty() && is_same_file(output, other))
    throw InputError(output, "is " + (what + (" as well: " + quote(other))));
}

}  // namespace

void add_reading(CLI::App* command, Reading* reading) {
  reading->warn = [](const std::string& text) { note("lowtide: warning: %s\n", text.c_str()); };
  command->add_flag(
      "--strict", reading->strict,
      "Unknown fields and columns, and reads that an update may overtake, are errors");
}

void claim_outputs(const std::vector<std::string>& inputs,
                   const std::vector<std::string>& outputs) {
  for (auto output = outputs.begin(); output != outputs.end(); ++output) {
    if (output->empty()) continue;
    if (destination_of(*output).descriptor == STDOUT_FILENO) give_up_standard_output();
    for (const std::string& input : inputs) refuse_one_file(*output, input, "an input");
    for (auto other = outputs.begin(); other != output; ++other)
      refuse_one_file(*output, *other, "another output");
  }
}

}  // namespace lowtide::cli
