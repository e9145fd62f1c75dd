// Maximum flow by Dinic's algorithm (Dinic 1970): blocking flows in layered networks. Written for
// the sparse networks of analysis/live_cut.h; O(V^2 E) in theory, a few layers in practice.
//
// run() starts from the flow that is there, and what was sent since a mark can be taken back: a
// question with one more forced node costs only the flow it adds.
#pragma once

#include <cstdint>
#include <vector>

#include "lowtide/base/bytes.h"
#include "lowtide/base/limits.h"

namespace lowtide {

class MaxFlow {
 public:
  static constexpr Bytes kInfinite = kMaxBytes / 4;

  explicit MaxFlow(int num_vertices) { reset(num_vertices); }

  // No arcs, no flow; keeps the memory.
  void reset(int num_vertices);

  int add_vertex() {
    first_arc_.push_back(-1);
    return static_cast<int>(first_arc_.size()) - 1;
  }
  void add_arc(int from, int to, Bytes capacity);

  // Sends more until the flow is maximal, or the meter stops it, or `enough` has been sent by this
  // call. What this call has sent: a lower bound on what the cut has grown by, whatever stopped it.
  Bytes run(int source, int sink, Meter* meter, Bytes enough = kInfinite);
  // The last run() ended because no more can be sent.
  bool is_maximal() const { return is_maximal_; }

  // What is sent from here on, rewind() takes back.
  void mark();
  void rewind();

  // Of a maximal flow: vertices that one of `sources` still reaches (the smallest minimum cut's
  // source side), and those that do not reach the sink (the largest one's).
  std::vector<bool> reached_from(std::vector<int> sources) const;
  std::vector<bool> not_reaching_sink(int sink) const;

 private:
  struct Arc {
    int to;
    int next;
    Bytes left;
  };

  struct Sent {
    int arc;
    Bytes amount;
  };

  bool build_layers(int source, int sink);
  void send(int arc, Bytes amount) {
    arcs_[static_cast<std::size_t>(arc)].left -= amount;
    arcs_[static_cast<std::size_t>(arc ^ 1)].left += amount;
  }
  Bytes push(int source, int sink, Bytes enough, Meter* meter);

  std::vector<int> first_arc_;
  std::vector<Arc> arcs_;  // arc i and its reverse i ^ 1
  std::vector<int> layer_;
  std::vector<int> next_arc_;
  std::vector<int> queue_;
  std::int64_t work_ = 0;  // arcs looked at
  bool is_maximal_ = false;
  bool is_marked_ = false;
  std::vector<Sent> sent_;  // since the mark
};

}  // namespace lowtide
