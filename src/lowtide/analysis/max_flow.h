// Maximum flow by Dinic's algorithm (Dinic 1970): blocking flows in layered networks. Written for
// the small, sparse networks of analysis/min_cut.h; O(V^2 E) in theory, a few layers in practice.
#pragma once

#include <cstdint>
#include <vector>

#include "lowtide/base/bytes.h"

namespace lowtide {

class MaxFlow {
 public:
  static constexpr Bytes kInfinite = kMaxBytes / 4;

  explicit MaxFlow(int num_vertices) : first_arc_(static_cast<std::size_t>(num_vertices), -1) {}

  int add_vertex() {
    first_arc_.push_back(-1);
    return static_cast<int>(first_arc_.size()) - 1;
  }
  void add_arc(int from, int to, Bytes capacity);

  // The flow's value, or something >= `enough` as soon as that much has been sent.
  Bytes run(int source, int sink, Bytes enough = kInfinite);

  // After run(): vertices that the source still reaches (the smallest minimum cut's source side),
  // and those that do not reach the sink (the largest one's).
  std::vector<bool> reached_from_source(int source) const;
  std::vector<bool> not_reaching_sink(int sink) const;

  std::int64_t work() const { return work_; }  // arcs looked at

 private:
  struct Arc {
    int to;
    int next;
    Bytes left;
  };

  bool build_layers(int source, int sink);
  Bytes push(int source, int sink, Bytes enough);

  std::vector<int> first_arc_;
  std::vector<Arc> arcs_;  // arc i and its reverse i ^ 1
  std::vector<int> layer_;
  std::vector<int> next_arc_;
  std::int64_t work_ = 0;
};

}  // namespace lowtide
