"""The profiling run: how long each node took, on a device that works as it is told and on one that queues."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lowtide.torch")
from lowtide.torch.execution import profile  # noqa: E402


def _doubled_and_added(x):
    return (x * 2) + 1


def run():
    module = torch.fx.experimental.proxy_tensor.make_fx(_doubled_and_added)(torch.ones(4))
    return profile.run_profiled(module, [torch.ones(4)])


def test_every_operator_has_its_time():
    outputs, found = run()
    assert torch.equal(outputs, torch.full((4,), 3.0))
    assert list(found.seconds) == ["mul", "add"]
    assert all(0 < seconds < 60 for seconds in found.seconds.values())


class QueueEvent:
    """A device whose queue moves on by 5 ms with every event, and which is looked at in the end only."""

    time_ms = 0.0
    finished = False

    def __init__(self, device, enable_timing):
        assert enable_timing

    def record(self):
        assert not QueueEvent.finished
        QueueEvent.time_ms += 5.0
        self.at = QueueEvent.time_ms

    def synchronize(self):
        QueueEvent.finished = True

    def elapsed_time(self, end):
        assert QueueEvent.finished
        return end.at - self.at


def test_a_queue_is_timed_by_events_and_not_waited_for(monkeypatch):
    monkeypatch.setattr(torch, "Event", QueueEvent)
    monkeypatch.setattr(profile, "HostClock", lambda: profile.EventClock("cuda"))
    _, found = run()
    assert found.seconds == {"mul": 0.005, "add": 0.005}
