"""What capture refuses, and why."""

from __future__ import annotations

# The way out for a step that cannot become a program.
IN_EAGER = "leave the step in eager, with lowtide.torch.record and replay around it"


class CaptureError(ValueError):
    """A model or step that cannot become a graph: names the node, module or parameter, and the reason."""


class UnsupportedError(CaptureError):
    """A feature of PyTorch that a captured step would get wrong: names it, the reason and the way out."""
