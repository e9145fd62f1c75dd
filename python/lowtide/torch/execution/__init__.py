"""A traced step as a callable: bound to live tensors, profiled, planned, run in its planned order."""
