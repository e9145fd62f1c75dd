"""A live step that takes the ways a traced one takes.

Libraries ask whether they are being traced, and look at values only if they are not: transformers drops an
attention mask that masks nothing. Under fake tensors it sees a trace and keeps the mask, so a live step
would be another program than the traced one, though both give the same bits. Within `as_traced` a live
step gets the same answer as a trace.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

# Module and function that asks. What is not imported was not asked.
QUESTIONS = (("transformers.masking_utils", "is_tracing"),)


@contextmanager
def as_traced() -> Iterator[None]:
    """Every known question is answered: yes, this is a trace."""
    asked = [(sys.modules[m], name) for m, name in QUESTIONS if hasattr(sys.modules.get(m), name)]
    patches = [mock.patch.object(module, name, _yes) for module, name in asked]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


def _yes(*_: Any) -> bool:
    return True
