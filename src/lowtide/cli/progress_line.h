// One line on stderr that a search rewrites while it runs: value, bound, gap. Only on a terminal,
// and only after the first moments, so that quick plans print nothing.
#pragma once

#include <string>

#include "lowtide/base/limits.h"

namespace lowtide::cli {

class ProgressLine : public ProgressSink {
 public:
  ProgressLine();
  ~ProgressLine() override;  // wipes the line
  void improved(Bytes value, Bytes bound) override;

 private:
  bool on_terminal_;
  bool shown_ = false;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_ = start_;
};

}  // namespace lowtide::cli
