#include "training_step.h"

namespace lowtide::bench {

TrainingStep::Var TrainingStep::new_value(Bytes bytes, bool persistent) {
  values_.push_back({bytes, persistent});
  return static_cast<Var>(values_.size()) - 1;
}

TrainingStep::Var TrainingStep::input(Bytes bytes) { return new_value(bytes, true); }

TrainingStep::Var TrainingStep::op(const char* name, std::vector<Var> inputs, Bytes bytes,
                                   Bytes parameter_bytes) {
  const Var output = new_value(bytes);
  ops_.push_back({name + ("_" + std::to_string(ops_.size())), std::move(inputs), output,
                  parameter_bytes, false});
  num_nodes_ += 1 + static_cast<int>(ops_.back().inputs.size()) + (parameter_bytes > 0 ? 5 : 0);
  return output;
}

TrainingStep::Var TrainingStep::add(std::vector<Var> inputs) {
  const Var output = new_value(bytes(inputs.front()));
  ops_.push_back({"add_" + std::to_string(ops_.size()), std::move(inputs), output, 0, true});
  num_nodes_ += 2;  // its own, and that which adds up the gradients at the fork it closes
  return output;
}

std::vector<std::string> TrainingStep::names_of(const std::vector<Var>& vars) const {
  std::vector<std::string> names;
  for (Var var : vars) names.push_back("t" + std::to_string(var));
  return names;
}

void TrainingStep::add_node(NodeSpec spec, const std::vector<Var>& inputs, Var output) {
  spec.op = spec.name.substr(0, spec.name.rfind('_'));
  for (std::string& name : names_of(inputs)) spec.inputs.push_back(std::move(name));
  if (output != kNone) spec.outputs = names_of({output});
  builder_.add_node(spec);
}

void TrainingStep::run_forwards() {
  for (const Op& op : ops_) {
    NodeSpec spec{.name = op.name, .phase = "forward"};
    if (op.parameter_bytes > 0) {
      builder_.add_tensor({"p." + op.name, op.parameter_bytes, TensorKind::kParameter});
      spec.inputs.push_back("p." + op.name);
    }
    add_node(std::move(spec), op.inputs, op.output);
  }
}

void TrainingStep::hand_on(Var to, Var gradient) {
  if (value(to).persistent) return;
  const Var before = value(to).gradient;
  value(to).gradient = gradient;
  if (before == kNone) return;
  value(to).gradient = new_value(bytes(to));
  add_node({.name = "sum_" + std::to_string(value(to).gradient), .phase = "backward"},
           {before, gradient}, value(to).gradient);
}

void TrainingStep::run_backwards(const Op& op) {
  const Var gradient = value(op.output).gradient;
  if (gradient == kNone) return;
  std::vector<Var> read = {gradient};
  if (!op.linear) read.insert(read.end(), op.inputs.begin(), op.inputs.end());
  for (std::size_t i = 0; i < op.inputs.size(); ++i) {
    if (op.linear) hand_on(op.inputs[i], gradient);
    if (op.linear || value(op.inputs[i]).persistent) continue;
    const Var of_input = new_value(bytes(op.inputs[i]));
    NodeSpec spec{.name = op.name + ".grad_" + std::to_string(i), .phase = "backward"};
    if (op.parameter_bytes > 0) spec.inputs.push_back("p." + op.name);
    add_node(std::move(spec), read, of_input);
    hand_on(op.inputs[i], of_input);
  }
  if (op.parameter_bytes == 0) return;
  parameter_gradients_[static_cast<std::size_t>(&op - ops_.data())] = new_value(op.parameter_bytes);
  add_node({.name = op.name + ".weight_grad", .phase = "backward"}, read,
           static_cast<Var>(values_.size()) - 1);
}

void TrainingStep::update(const Op& op, Var gradient) {
  for (const char* moment : {"m1.", "m2."})
    builder_.add_tensor({moment + op.name, op.parameter_bytes, TensorKind::kOptimizerState});
  const auto optimizer_node = [&](const char* name, std::vector<std::string> mutates,
                                  std::vector<std::string> after) {
    return NodeSpec{.name = op.name + name,
                    .mutates = std::move(mutates),
                    .after = std::move(after),
                    .phase = "optimizer"};
  };
  const Var root = new_value(op.parameter_bytes);
  add_node(optimizer_node(".lerp", {"m1." + op.name}, {}), {gradient}, kNone);
  add_node(optimizer_node(".addcmul", {"m2." + op.name}, {}), {gradient}, kNone);
  add_node(optimizer_node(".sqrt", {}, {op.name + ".addcmul"}), {}, root);
  // Nobody may read the parameter after it.
  std::vector<std::string> after = {op.name + ".lerp"};
  for (std::size_t i = 0; i < op.inputs.size(); ++i)
    if (!value(op.inputs[i]).persistent) after.push_back(op.name + ".grad_" + std::to_string(i));
  add_node(optimizer_node(".addcdiv", {"p." + op.name}, after), {root}, kNone);
}

Graph TrainingStep::finish() && {
  for (std::size_t i = 0; i < values_.size(); ++i)
    builder_.add_tensor({"t" + std::to_string(i), values_[i].bytes,
                         values_[i].persistent ? TensorKind::kInput : TensorKind::kActivation,
                         values_[i].kept});
  return std::move(builder_).build();
}

Graph TrainingStep::inference(Var last) && {
  value(last).kept = true;
  run_forwards();
  return std::move(*this).finish();
}

Graph TrainingStep::training(Var last) && {
  value(last).kept = true;
  run_forwards();
  value(last).gradient = new_value(bytes(last));
  add_node({.name = "loss_grad", .phase = "backward"}, {last}, value(last).gradient);
  parameter_gradients_.assign(ops_.size(), kNone);
  for (std::size_t i = ops_.size(); i-- > 0;) run_backwards(ops_[i]);
  for (std::size_t i = 0; i < ops_.size(); ++i)
    if (parameter_gradients_[i] != kNone) update(ops_[i], parameter_gradients_[i]);
  return std::move(*this).finish();
}

}  // namespace lowtide::bench
