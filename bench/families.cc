#include "families.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "lowtide/base/text.h"
#include "lowtide/graph/error.h"
#include "training_step.h"

namespace lowtide::bench {
namespace {

using Var = TrainingStep::Var;

// std::uniform_int_distribution differs between standard libraries; the engine does not.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  int below(int end) { return static_cast<int>(engine_() % static_cast<std::uint64_t>(end)); }
  bool chance(int percent) { return below(100) < percent; }
  // Pareto with exponent 1.2, cut at 10^4 times the least: a few tensors hold most of the bytes.
  Bytes heavy_tailed(Bytes least) {
    const double u = (1 + below(1'000'000)) / 1e6;
    return least * static_cast<Bytes>(std::min(1e4, std::pow(u, -1 / 1.2)));
  }

 private:
  std::mt19937_64 engine_;
};

std::string titled(const char* family, int nodes, int variant) {
  return family + (":" + std::to_string(nodes)) + (variant ? ":" + std::to_string(variant) : "");
}

// x + attention(norm(x)), then x + mlp(norm(x)); bytes of `tokens` rows of `width` floats.
Var transformer_block(TrainingStep* step, Var x, Bytes tokens, Bytes width) {
  constexpr Bytes kHeads = 12;
  const Bytes row = 4 * tokens * width;
  const Bytes square = 4 * width * width;
  const Var norm = step->op("norm", {x}, row, 8 * width);
  const Var query = step->op("query", {norm}, row, square);
  const Var key = step->op("key", {norm}, row, square);
  const Var value = step->op("value", {norm}, row, square);
  const Var scores = step->op("scores", {query, key}, 4 * kHeads * tokens * tokens);
  const Var weights = step->op("softmax", {scores}, 4 * kHeads * tokens * tokens);
  const Var context = step->op("context", {weights, value}, row);
  x = step->add({x, step->op("projection", {context}, row, square)});
  const Var hidden = step->op("fc1", {step->op("norm", {x}, row, 8 * width)}, 4 * row, 4 * square);
  return step->add({x, step->op("fc2", {step->op("gelu", {hidden}, 4 * row)}, row, 4 * square)});
}

Graph transformer_of(const char* family, int nodes, int variant, Bytes tokens) {
  TrainingStep step(titled(family, nodes, variant));
  const Bytes width = 768;
  Var x = step.op("embed", {step.input(8 * tokens)}, 4 * tokens * width, 4 * 1000 * width);
  do {
    x = transformer_block(&step, x, tokens, width);
  } while (step.num_nodes() < nodes);
  return std::move(step).training(step.op("loss", {x}, 4));
}
Graph transformer(int nodes, int variant) {
  return transformer_of("transformer", nodes, variant, variant ? variant : 2048);
}
Graph weights(int nodes, int variant) {
  return transformer_of("weights", nodes, variant, variant ? variant : 16);
}

// Bottleneck blocks; every eighth halves the image and doubles the channels, then all over again.
Var resnet_block(TrainingStep* step, Var x, int index, Bytes batch) {
  const Bytes stage = index / 8 % 4;
  const Bytes side = 56 >> stage;
  const Bytes inner = Bytes{64} << stage;
  const Bytes outer = 4 * inner;
  const auto conv = [&](Var in, Bytes channels_in, Bytes channels, Bytes kernel) {
    const Bytes bytes = 4 * batch * channels * side * side;
    const Var made = step->op("conv", {in}, bytes, 4 * channels_in * channels * kernel);
    return step->op("norm", {made}, bytes, 8 * channels);
  };
  const auto relu = [&](Var in) { return step->op("relu", {in}, step->bytes(in)); };
  Var y = relu(conv(x, outer, inner, 1));
  y = relu(conv(y, inner, inner, 9));
  y = conv(y, inner, outer, 1);
  if (index % 8 == 0) x = conv(x, outer, outer, 1);
  return relu(step->add({y, x}));
}

Graph resnet(int nodes, int variant) {
  TrainingStep step(titled("resnet", nodes, variant));
  const Bytes batch = variant ? variant : 1;
  Var x = step.op("stem", {step.input(4 * batch * 3 * 224 * 224)}, 4 * batch * 64 * 56 * 56,
                  4 * 3 * 64 * 49);
  for (int i = 0; i == 0 || step.num_nodes() < nodes; ++i) x = resnet_block(&step, x, i, batch);
  return std::move(step).training(step.op("loss", {x}, 4));
}

// Each node reads one to three tensors of the two layers above. Sizes are heavy-tailed.
Graph layered(int nodes, int width) {
  if (width == 0) width = 10;
  TrainingStep step(titled("layered", nodes, width));
  Random random(static_cast<std::uint64_t>(nodes * 1000 + width));
  std::vector<Var> made = {step.input(64)};
  while (static_cast<int>(made.size()) <= nodes) {
    const int layers = static_cast<int>(made.size()) - 1;
    const int reach = std::min(layers % width + 2 * width, layers);
    std::vector<Var> inputs;
    for (int k = 1 + random.below(3); k > 0 && reach > 0; --k) {
      const int back = layers % width + 1 + random.below(std::max(1, reach - layers % width));
      inputs.push_back(made[made.size() - static_cast<std::size_t>(std::min(back, layers))]);
    }
    std::sort(inputs.begin(), inputs.end());
    inputs.erase(std::unique(inputs.begin(), inputs.end()), inputs.end());
    if (inputs.empty()) inputs = {made.front()};
    made.push_back(step.op("op", inputs, random.heavy_tailed(64)));
  }
  return std::move(step).inference(made.back());
}

// Random wiring (Xie et al. 2019): stages of 32 nodes in a ring, each wired to its 4 neighbours,
// every edge moved with probability 3/4; a node sums what it reads, then convolves.
Var wired_stage(TrainingStep* step, Random* random, Var x, Bytes bytes) {
  constexpr int kNodes = 32;
  std::vector<std::vector<int>> reads(kNodes);
  for (int v = 0; v < kNodes; ++v)
    for (int k = 1; k <= 2; ++k) {
      int w = (v + k) % kNodes;
      if (random->chance(75)) w = random->below(kNodes);
      if (w != v) reads[static_cast<std::size_t>(std::max(v, w))].push_back(std::min(v, w));
    }
  std::vector<Var> made;
  std::vector<char> is_read(kNodes, 0);
  for (auto& sources : reads) {
    std::sort(sources.begin(), sources.end());
    sources.erase(std::unique(sources.begin(), sources.end()), sources.end());
    std::vector<Var> inputs;
    for (int u : sources) {
      inputs.push_back(made[static_cast<std::size_t>(u)]);
      is_read[static_cast<std::size_t>(u)] = 1;
    }
    const Var sum = inputs.empty() ? x : inputs.size() == 1 ? inputs[0] : step->add(inputs);
    const Var conv = step->op("conv", {step->op("relu", {sum}, bytes)}, bytes, bytes / 16);
    made.push_back(step->op("norm", {conv}, bytes, 512));
  }
  std::vector<Var> ends;
  for (int v = 0; v < kNodes; ++v)
    if (!is_read[static_cast<std::size_t>(v)]) ends.push_back(made[static_cast<std::size_t>(v)]);
  return step->add(ends);
}

// Two inputs, five sums of two separable convolutions each, a concatenation (Zoph et al. 2018).
Var nas_cell(TrainingStep* step, Random* random, Var before, Var last, Bytes bytes) {
  std::vector<Var> states = {step->op("squeeze", {before}, bytes, bytes / 32),
                             step->op("squeeze", {last}, bytes, bytes / 32)};
  std::vector<char> is_read(7, 0);
  for (int sum = 0; sum < 5; ++sum) {
    std::vector<Var> terms;
    for (int term = 0; term < 2; ++term) {
      const auto from = static_cast<std::size_t>(random->below(static_cast<int>(states.size())));
      is_read[from] = 1;
      const Var relu = step->op("relu", {states[from]}, bytes);
      const Var depth = step->op("depthwise", {relu}, bytes, bytes / 64);
      terms.push_back(step->op("pointwise", {depth}, bytes, bytes / 32));
    }
    states.push_back(step->add(terms));
  }
  std::vector<Var> loose;
  for (std::size_t i = 0; i < states.size(); ++i)
    if (!is_read[i]) loose.push_back(states[i]);
  return step->op("concat", loose, bytes * static_cast<Bytes>(loose.size()));
}

enum Mode { kTraining, kInference };

Graph finished(TrainingStep step, Var last, Mode mode) {
  const Var loss = step.op("loss", {last}, 4);
  return mode == kTraining ? std::move(step).training(loss) : std::move(step).inference(loss);
}

// Nodes of the forward pass are about a quarter of a training step's.
int blocks_until(const TrainingStep& step, int nodes, Mode mode) {
  return step.num_nodes() < (mode == kTraining ? nodes : 4 * nodes);
}

Graph wired(const char* family, int nodes, int seed, Mode mode) {
  TrainingStep step(titled(family, nodes, seed));
  Random random(static_cast<std::uint64_t>(seed));
  Var x = step.op("stem", {step.input(600'000)}, 400'000, 7000);
  for (Bytes stage = 0; stage == 0 || blocks_until(step, nodes, mode); ++stage)
    x = wired_stage(&step, &random, x, 400'000 >> std::min<Bytes>(stage, 3));
  return finished(std::move(step), x, mode);
}
Graph wired_training(int nodes, int seed) { return wired("randwire", nodes, seed, kTraining); }
Graph wired_inference(int nodes, int seed) {
  return wired("randwire-eval", nodes, seed, kInference);
}

Graph nas(const char* family, int nodes, int seed, Mode mode) {
  TrainingStep step(titled(family, nodes, seed));
  Random random(static_cast<std::uint64_t>(seed));
  Var last = step.op("stem", {step.input(600'000)}, 400'000, 7000);
  Var before = last;
  for (Bytes cell = 0; cell == 0 || blocks_until(step, nodes, mode); ++cell) {
    const Var made =
        nas_cell(&step, &random, before, last, 400'000 >> std::min<Bytes>(cell / 6, 3));
    before = std::exchange(last, made);
  }
  return finished(std::move(step), last, mode);
}
Graph nas_training(int nodes, int seed) { return nas("nas", nodes, seed, kTraining); }
Graph nas_inference(int nodes, int seed) { return nas("nas-eval", nodes, seed, kInference); }

// An LSTM unrolled over time, about 30 nodes a step; each step has a loss. The steps share their
// parameter, so the gradients of all add up.
// What an expert's node reads, as places in the expert, and how large its output is.
struct ExpertNode {
  std::vector<int> reads;
  Bytes bytes;
};

std::vector<ExpertNode> random_expert(int nodes, int seed) {
  Random random(static_cast<std::uint64_t>(nodes * 1000 + seed));
  std::vector<ExpertNode> expert;
  for (int at = 0; at < nodes; ++at) {
    const int window = std::min(at, 6);
    ExpertNode node = {{}, 4 * static_cast<Bytes>(std::exp2(2 + random.below(7000) / 1e3))};
    for (int k = std::max(1, random.below(4)); k > 0 && window > 0; --k)
      node.reads.push_back(at - 1 - random.below(window));
    std::sort(node.reads.begin(), node.reads.end());
    node.reads.erase(std::unique(node.reads.begin(), node.reads.end()), node.reads.end());
    expert.push_back(std::move(node));
  }
  return expert;
}

Graph experts(int nodes, int seed) {
  constexpr int kBranches = 8;
  TrainingStep step(titled("experts", nodes, seed));
  const std::vector<ExpertNode> expert = random_expert(std::max(1, nodes / kBranches), seed);
  const Var x = step.op("router", {step.input(1024)}, 1024);
  std::vector<Var> ends;
  for (int branch = 0; branch < kBranches; ++branch) {
    std::vector<Var> made;
    std::vector<bool> is_read(expert.size(), false);
    for (const ExpertNode& node : expert) {
      std::vector<Var> inputs;
      for (int read : node.reads) {
        inputs.push_back(made[static_cast<std::size_t>(read)]);
        is_read[static_cast<std::size_t>(read)] = true;
      }
      if (inputs.empty()) inputs = {x};
      made.push_back(step.op("op", inputs, node.bytes));
    }
    for (std::size_t at = 0; at < made.size(); ++at)
      if (!is_read[at]) ends.push_back(made[at]);
  }
  return std::move(step).inference(step.op("combine", ends, 4));
}

Graph rnn(int nodes, int batch) {
  if (batch == 0) batch = 8;
  TrainingStep step(titled("rnn", nodes, batch));
  const Bytes state = Bytes{4} * batch * 512;
  Var h = step.op("start", {step.input(64)}, state);
  Var c = step.op("start", {step.input(64)}, state);
  Var weight = step.op("cast", {step.input(64)}, Bytes{4} * 1024 * 2048);
  std::vector<Var> losses;
  do {
    const Var x = step.op("embed", {step.input(64)}, state);
    const Var gates = step.op("mm", {x, h, weight}, 4 * state);
    const Var in = step.op("sigmoid", {gates}, state);
    const Var forget = step.op("sigmoid", {gates}, state);
    const Var cell = step.op("tanh", {gates}, state);
    const Var out = step.op("sigmoid", {gates}, state);
    c = step.add({step.op("mul", {forget, c}, state), step.op("mul", {in, cell}, state)});
    h = step.op("mul", {out, step.op("tanh", {c}, state)}, state);
    losses.push_back(step.op("loss", {h}, 4));
  } while (step.num_nodes() < nodes);
  return std::move(step).training(step.add(losses));
}

}  // namespace

const std::vector<Family>& families() {
  static const std::vector<Family> all = {
      {"transformer", "training, blocks repeated; variant: tokens (2048)", transformer},
      {"weights", "the same with few tokens: weights dominate; variant: tokens (16)", weights},
      {"resnet", "training, bottleneck blocks repeated; variant: batch (1)", resnet},
      {"layered", "random layers, shared heavy-tailed tensors; variant: width (10)", layered},
      {"randwire", "randomly wired stages, training; variant: seed", wired_training},
      {"randwire-eval", "the same, inference", wired_inference},
      {"nas", "NASNet-like random cells, training; variant: seed", nas_training},
      {"nas-eval", "the same, inference", nas_inference},
      {"experts", "eight identical random branches side by side; variant: seed", experts},
      {"rnn", "an LSTM unrolled, training; variant: batch (8)", rnn},
  };
  return all;
}

namespace {

const Family* family_of(const std::string& text) {
  for (const Family& family : families())
    if (text.starts_with(std::string(family.name) + ":")) return &family;
  return nullptr;
}

}  // namespace

bool names_family(const std::string& text) { return family_of(text) != nullptr; }

Graph make_family(const std::string& text) {
  const Family* family = family_of(text);
  int nodes = 0, variant = 0;
  if (family == nullptr ||
      std::sscanf(text.c_str() + std::string(family->name).size(), ":%d:%d", &nodes, &variant) <
          1 ||
      nodes < 1 || variant < 0)
    throw InputError(quote(text), "not a family of graphs: name:nodes or name:nodes:variant");
  return family->make(nodes, variant);
}

}  // namespace lowtide::bench
