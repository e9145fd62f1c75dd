"""From a model and an optimizer to a Graph: tracing the whole step over fake tensors, and reading it."""
