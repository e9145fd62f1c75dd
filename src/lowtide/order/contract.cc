#include "lowtide/order/contract.h"

#include <algorithm>
#include <queue>

namespace lowtide {
namespace {

// Which node reaches which, as bitsets; of the original numbering, before any merge.
class Reachability {
 public:
  explicit Reachability(const CoreProblem& core) : words_((core.need.size() + 63) / 64) {
    const auto n = core.need.size();
    bits_.assign(n * words_, 0);
    for (std::size_t v = n; v-- > 0;) {
      for (int s : core.successors[v]) {
        const auto w = static_cast<std::size_t>(s);
        bits_[v * words_ + w / 64] |= std::uint64_t{1} << (w % 64);
        for (std::size_t i = 0; i < words_; ++i) bits_[v * words_ + i] |= bits_[w * words_ + i];
      }
    }
  }
  bool reaches(int from, int to) const {
    const auto w = static_cast<std::size_t>(to);
    return (bits_[static_cast<std::size_t>(from) * words_ + w / 64] >> (w % 64)) & 1;
  }

 private:
  std::size_t words_;
  std::vector<std::uint64_t> bits_;
};

void erase_value(std::vector<int>* items, int value) {
  items->erase(std::remove(items->begin(), items->end(), value), items->end());
}

class Contractor {
 public:
  Contractor(CoreProblem core, Meter* meter)
      : core_(std::move(core)), reach_(core_), meter_(meter), gone_(core_.need.size(), 0) {}

  CoreProblem run() {
    bool changed = true;
    while (changed && !meter_->stopped()) {
      changed = false;
      for (int v = core_.num_nodes(); v-- > 0;) changed |= !is_gone(v) && try_lazy(v);
      for (int v = 0; v < core_.num_nodes(); ++v) changed |= !is_gone(v) && try_eager(v);
    }
    return survivors();
  }

 private:
  bool is_gone(int v) const { return gone_[static_cast<std::size_t>(v)] != 0; }
  Bytes& need(int v) { return core_.need[static_cast<std::size_t>(v)]; }
  CoreTensor& tensor(int t) { return core_.tensors[static_cast<std::size_t>(t)]; }
  std::vector<int>& inputs(int v) { return core_.inputs[static_cast<std::size_t>(v)]; }
  std::vector<int>& outputs(int v) { return core_.outputs[static_cast<std::size_t>(v)]; }
  std::vector<int>& predecessors(int v) { return core_.predecessors[static_cast<std::size_t>(v)]; }
  std::vector<int>& successors(int v) { return core_.successors[static_cast<std::size_t>(v)]; }

  // The successor that reaches all others, or -1.
  int only_minimal_successor(int v) {
    for (int w : successors(v))
      if (std::all_of(successors(v).begin(), successors(v).end(),
                      [&](int s) { return s == w || reach_.reaches(w, s); }))
        return w;
    return -1;
  }
  int only_maximal_predecessor(int v) {
    for (int u : predecessors(v))
      if (std::all_of(predecessors(v).begin(), predecessors(v).end(),
                      [&](int p) { return p == u || reach_.reaches(p, u); }))
        return u;
    return -1;
  }

  bool frees_nothing(int v) {
    return std::all_of(inputs(v).begin(), inputs(v).end(), [&](int t) {
      return tensor(t).kept || std::any_of(tensor(t).consumers.begin(), tensor(t).consumers.end(),
                                           [&](int c) { return c != v && reach_.reaches(v, c); });
    });
  }
  // Bytes of the inputs that nobody else reads.
  Bytes exclusive_bytes(int v) {
    Bytes bytes = 0;
    for (int t : inputs(v))
      if (!tensor(t).kept && tensor(t).consumers.size() == 1) bytes += tensor(t).bytes;
    return bytes;
  }

  bool try_lazy(int v) {
    meter_->spend(static_cast<std::int64_t>(1 + successors(v).size() + inputs(v).size()));
    const int w = only_minimal_successor(v);
    if (w < 0 || !frees_nothing(v)) return false;
    const Bytes surviving = surviving_bytes(core_, v);
    if (need(v) > surviving + need(w)) return false;
    need(w) += surviving;
    auto& run = core_.run[static_cast<std::size_t>(w)];
    auto& before = core_.run[static_cast<std::size_t>(v)];
    run.insert(run.begin(), before.begin(), before.end());
    merge(v, w);
    return true;
  }

  bool try_eager(int v) {
    meter_->spend(static_cast<std::int64_t>(1 + predecessors(v).size() + inputs(v).size()));
    const int u = only_maximal_predecessor(v);
    if (u < 0 || surviving_bytes(core_, v) > exclusive_bytes(v)) return false;
    if (surviving_bytes(core_, u) - exclusive_bytes(u) + need(v) > need(u)) return false;
    auto& run = core_.run[static_cast<std::size_t>(u)];
    auto& after = core_.run[static_cast<std::size_t>(v)];
    run.insert(run.end(), after.begin(), after.end());
    merge(v, u);
    return true;
  }

  // v becomes part of `into`: its arcs and tensors go there; tensors only between the two vanish.
  void merge(int v, int into) {
    gone_[static_cast<std::size_t>(v)] = 1;
    move_arcs(v, into, &Contractor::predecessors, &Contractor::successors);
    move_arcs(v, into, &Contractor::successors, &Contractor::predecessors);
    for (int t : inputs(v)) {
      auto& consumers = tensor(t).consumers;
      erase_value(&consumers, v);
      if (tensor(t).producer != into &&
          std::find(consumers.begin(), consumers.end(), into) == consumers.end()) {
        consumers.push_back(into);
        inputs(into).push_back(t);
      }
    }
    for (int t : outputs(v)) {
      tensor(t).producer = into;
      erase_value(&tensor(t).consumers, into);
      erase_value(&inputs(into), t);
      outputs(into).push_back(t);
    }
    inputs(v).clear();
    outputs(v).clear();
    // A tensor left without a reader no longer survives; it stays in o.
    auto& kept = outputs(into);
    kept.erase(
        std::remove_if(kept.begin(), kept.end(),
                       [&](int t) { return tensor(t).consumers.empty() && !tensor(t).kept; }),
        kept.end());
  }

  template <class Forward, class Backward>
  void move_arcs(int v, int into, Forward forward, Backward backward) {
    for (int other : (this->*forward)(v)) {
      auto& back = (this->*backward)(other);
      erase_value(&back, v);
      if (other == into) continue;
      auto& own = (this->*forward)(into);
      if (std::find(own.begin(), own.end(), other) == own.end()) own.push_back(other);
      if (std::find(back.begin(), back.end(), into) == back.end()) back.push_back(into);
    }
    (this->*forward)(v).clear();
  }

  // The surviving nodes, renumbered topologically and near to program order (merges can break the
  // old numbers).
  CoreProblem survivors() {
    const auto first = [&](int v) { return core_.run[static_cast<std::size_t>(v)].front(); };
    const auto later = [&](int a, int b) { return first(a) > first(b); };
    std::priority_queue<int, std::vector<int>, decltype(later)> ready(later);
    std::vector<int> waits(core_.need.size(), 0);
    for (int v = 0; v < core_.num_nodes(); ++v) {
      waits[static_cast<std::size_t>(v)] = static_cast<int>(predecessors(v).size());
      if (!is_gone(v) && predecessors(v).empty()) ready.push(v);
    }
    std::vector<int> order;
    while (!ready.empty()) {
      const int v = ready.top();
      ready.pop();
      order.push_back(v);
      for (int s : successors(v))
        if (--waits[static_cast<std::size_t>(s)] == 0) ready.push(s);
    }
    std::vector<int> renamed(core_.need.size(), -1);
    for (std::size_t i = 0; i < order.size(); ++i)
      renamed[static_cast<std::size_t>(order[i])] = static_cast<int>(i);
    const auto rename = [&](std::vector<int> nodes) {
      for (int& v : nodes) v = renamed[static_cast<std::size_t>(v)];
      return nodes;
    };
    CoreProblem left;
    left.base = core_.base;
    std::vector<int> tensor_renamed(core_.tensors.size(), -1);
    for (std::size_t t = 0; t < core_.tensors.size(); ++t) {
      CoreTensor kept = core_.tensors[t];
      if (kept.consumers.empty() && !kept.kept) continue;
      kept.consumers = rename(kept.consumers);
      if (kept.producer >= 0) kept.producer = renamed[static_cast<std::size_t>(kept.producer)];
      tensor_renamed[t] = static_cast<int>(left.tensors.size());
      left.tensors.push_back(std::move(kept));
    }
    const auto rename_tensors = [&](std::vector<int> tensors) {
      for (int& t : tensors) t = tensor_renamed[static_cast<std::size_t>(t)];
      return tensors;
    };
    for (int v : order) {
      left.need.push_back(need(v));
      left.run.push_back(std::move(core_.run[static_cast<std::size_t>(v)]));
      left.predecessors.push_back(rename(predecessors(v)));
      left.successors.push_back(rename(successors(v)));
      left.inputs.push_back(rename_tensors(inputs(v)));
      left.outputs.push_back(rename_tensors(outputs(v)));
    }
    return left;
  }

  CoreProblem core_;
  Reachability reach_;
  Meter* meter_;
  std::vector<char> gone_;
};

}  // namespace

CoreProblem contract(CoreProblem core, Meter* meter) {
  if (core.num_nodes() > kMaxContractedNodes) return core;
  return Contractor(std::move(core), meter).run();
}

}  // namespace lowtide
