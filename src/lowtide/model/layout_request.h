// What an integrator may ask of a layout beyond plain buffers: MiniMalloc's gaps, buffers that
// share their bytes, buffers that must be neighbours, hints. Plain data on top of a LayoutProblem;
// model/bodies turns it into shapes, so that no solver knows these words.
//
//   gap         a stretch of a lifetime in which the buffer holds nothing, or a window of itself
//   alias       two buffers at one offset, which may hold the same bytes at the same time
//   adjacent    the second starts where the first ends, whether or not they are alive together
//   may reuse   a permission: as aliases if that helps, else as any two buffers
//   hint        an offset worth trying
#pragma once

#include <optional>
#include <vector>

#include "lowtide/model/layout_problem.h"

namespace lowtide {

struct Window {  // of the bytes [0, size) of a buffer
  Bytes lower;
  Bytes upper;
};

struct Gap {
  BufferId buffer;
  Interval lifetime;                  // what lies outside the buffer's own means nothing
  std::optional<Window> window = {};  // what is held in it; none: nothing
};

struct Tie {
  enum Kind { kAlias, kAdjacent } kind;
  BufferId first;
  BufferId second;
};

// At one offset these two may hold the same bytes at the same time; nobody else may, whoever they
// share with in turn.
struct MayReuse {
  BufferId first;
  BufferId second;
};

struct Hint {
  BufferId buffer;
  Bytes offset;
};

struct LayoutRequest {
  LayoutProblem problem;
  std::vector<Gap> gaps;
  std::vector<Tie> ties;
  std::vector<Hint> hints;
  std::vector<MayReuse> may_reuse = {};

  bool is_plain() const { return gaps.empty() && ties.empty() && may_reuse.empty(); }
};

}  // namespace lowtide
