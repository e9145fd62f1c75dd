#include "lowtide/analysis/max_flow.h"

#include <algorithm>
#include <utility>

namespace lowtide {

void MaxFlow::reset(int num_vertices) {
  first_arc_.assign(static_cast<std::size_t>(num_vertices), -1);
  arcs_.clear();
  is_maximal_ = is_marked_ = false;
  sent_.clear();
}

void MaxFlow::mark() {
  is_marked_ = true;
  sent_.clear();
}

void MaxFlow::rewind() {
  for (const Sent& sent : sent_) send(sent.arc, -sent.amount);
  sent_.clear();
}

void MaxFlow::add_arc(int from, int to, Bytes capacity) {
  arcs_.push_back({to, first_arc_[static_cast<std::size_t>(from)], capacity});
  first_arc_[static_cast<std::size_t>(from)] = static_cast<int>(arcs_.size()) - 1;
  arcs_.push_back({from, first_arc_[static_cast<std::size_t>(to)], 0});
  first_arc_[static_cast<std::size_t>(to)] = static_cast<int>(arcs_.size()) - 1;
}

bool MaxFlow::build_layers(int source, int sink) {
  layer_.assign(first_arc_.size(), -1);
  queue_.assign(1, source);
  layer_[static_cast<std::size_t>(source)] = 0;
  for (std::size_t i = 0; i < queue_.size(); ++i) {
    const int u = queue_[i];
    for (int a = first_arc_[static_cast<std::size_t>(u)]; a >= 0;
         a = arcs_[static_cast<std::size_t>(a)].next) {
      ++work_;
      const Arc& arc = arcs_[static_cast<std::size_t>(a)];
      if (arc.left == 0 || layer_[static_cast<std::size_t>(arc.to)] >= 0) continue;
      layer_[static_cast<std::size_t>(arc.to)] = layer_[static_cast<std::size_t>(u)] + 1;
      if (arc.to == sink) return true;
      queue_.push_back(arc.to);
    }
  }
  return false;
}

// A blocking flow: walk forwards along the layers, retreat from dead ends, augment at the sink.
Bytes MaxFlow::push(int source, int sink, Bytes enough, Meter* meter) {
  Bytes sent = 0;
  std::vector<int> path;  // arcs from the source
  int u = source;
  while (sent < enough) {
    if (u == sink) {
      Bytes amount = kInfinite;
      for (int a : path) amount = std::min(amount, arcs_[static_cast<std::size_t>(a)].left);
      std::size_t first_full = path.size();
      for (std::size_t i = path.size(); i-- > 0;) {
        send(path[i], amount);
        if (is_marked_) sent_.push_back({path[i], amount});
        if (arcs_[static_cast<std::size_t>(path[i])].left == 0) first_full = i;
      }
      sent += amount;
      if (meter->spend(static_cast<std::int64_t>(path.size()))) break;
      if (first_full == path.size()) break;  // an infinite path: nothing bounds the flow
      u = arcs_[static_cast<std::size_t>(path[first_full] ^ 1)].to;
      path.resize(first_full);
      continue;
    }
    int& a = next_arc_[static_cast<std::size_t>(u)];
    while (a >= 0) {
      ++work_;
      const Arc& arc = arcs_[static_cast<std::size_t>(a)];
      if (arc.left > 0 &&
          layer_[static_cast<std::size_t>(arc.to)] == layer_[static_cast<std::size_t>(u)] + 1)
        break;
      a = arc.next;
    }
    if (a >= 0) {
      path.push_back(a);
      u = arcs_[static_cast<std::size_t>(a)].to;
    } else {
      if (path.empty()) break;
      layer_[static_cast<std::size_t>(u)] = -1;
      u = arcs_[static_cast<std::size_t>(path.back() ^ 1)].to;
      path.pop_back();
    }
  }
  return sent;
}

Bytes MaxFlow::run(int source, int sink, Meter* meter, Bytes enough) {
  Bytes flow = 0;
  is_maximal_ = false;
  while (flow < enough && !meter->stopped()) {
    const std::int64_t before = work_;
    is_maximal_ = !build_layers(source, sink);
    if (!is_maximal_) {
      next_arc_ = first_arc_;
      flow += push(source, sink, enough - flow, meter);
    }
    meter->spend(1 + work_ - before);
    if (is_maximal_) break;
  }
  return flow;
}

std::vector<bool> MaxFlow::reached_from(std::vector<int> sources) const {
  std::vector<bool> reached(first_arc_.size(), false);
  std::vector<int> queue = std::move(sources);
  for (int source : queue) reached[static_cast<std::size_t>(source)] = true;
  for (std::size_t i = 0; i < queue.size(); ++i) {
    for (int a = first_arc_[static_cast<std::size_t>(queue[i])]; a >= 0;
         a = arcs_[static_cast<std::size_t>(a)].next) {
      const Arc& arc = arcs_[static_cast<std::size_t>(a)];
      if (arc.left == 0 || reached[static_cast<std::size_t>(arc.to)]) continue;
      reached[static_cast<std::size_t>(arc.to)] = true;
      queue.push_back(arc.to);
    }
  }
  return reached;
}

std::vector<bool> MaxFlow::not_reaching_sink(int sink) const {
  std::vector<bool> outside(first_arc_.size(), true);
  std::vector<int> queue = {sink};
  outside[static_cast<std::size_t>(sink)] = false;
  for (std::size_t i = 0; i < queue.size(); ++i) {
    for (int a = first_arc_[static_cast<std::size_t>(queue[i])]; a >= 0;
         a = arcs_[static_cast<std::size_t>(a)].next) {
      const int from =
          arcs_[static_cast<std::size_t>(a)].to;  // the reverse arc runs from -> queue[i]
      if (arcs_[static_cast<std::size_t>(a ^ 1)].left == 0 ||
          !outside[static_cast<std::size_t>(from)])
        continue;
      outside[static_cast<std::size_t>(from)] = false;
      queue.push_back(from);
    }
  }
  return outside;
}

}  // namespace lowtide
