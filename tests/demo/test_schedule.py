"""When the world changes, for runs of any length."""

import pytest

from exporter.demo.schedule import SHORTEST_COMPLETE, plan


def test_a_run_of_two_minutes_changes_at_45_seconds_and_leaves_time_to_resolve():
    times = plan(120.0)
    assert times.change_after == 45.0
    assert 120.0 - times.change_after - times.change_for > 45.0


def test_an_endless_run_changes_after_a_minute_and_every_five():
    times = plan(None)
    changes = [second for second in range(1000) if times.phase(second).changed]
    assert changes[0] == 60
    assert [second for second in changes if second - 1 not in changes] == [60, 360, 660, 960]
    assert len(changes) < 0.2 * 1000


@pytest.mark.parametrize("duration", [SHORTEST_COMPLETE, 50.0, 60.0, 75.0, 90.0, 600.0])
def test_a_run_leaves_time_for_the_alert_before_and_after(duration):
    times = plan(duration)
    assert times.change_after >= 8.0
    assert times.change_for >= 12.0
    assert duration - times.change_after - times.change_for >= 21.0


def test_the_moment_of_change_can_be_given():
    assert plan(120.0, 30.0).change_after == 30.0
    assert plan(None, 400.0).phase(399.0).changed is False
    assert plan(None, 400.0).phase(400.0).changed is True
    assert plan(None, 400.0).phase(446.0).changed is False


def test_phases_join_without_gap():
    times = plan(None)
    phase = times.phase(0.0)
    assert phase.start == 0.0
    for _ in range(10):
        following = times.phase(phase.end)
        assert following.start == phase.end
        assert following.changed is not phase.changed
        phase = following
