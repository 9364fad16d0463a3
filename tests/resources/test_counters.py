"""Laws of counters over processes that come and go, against a model of what the kernel does."""

from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.server.counters import PATIENCE, Accumulator, Reading

ROOT = 1


@dataclass
class Kernel:
    """Processes below one root: a parent takes over what a child did when it has waited for it."""

    figures: dict[int, float] = field(default_factory=lambda: {ROOT: 0.0})
    parents: dict[int, int] = field(default_factory=lambda: {ROOT: 0})
    work: float = 0.0
    """All that was ever done."""

    def fork(self, choice: int) -> None:
        pid = max(self.parents) + len(self.figures) + 1
        self.parents[pid] = sorted(self.figures)[choice % len(self.figures)]
        self.figures[pid] = 0.0

    def run(self, choice: int, amount: float) -> None:
        self.figures[sorted(self.figures)[choice % len(self.figures)]] += amount
        self.work += amount

    def exit(self, choice: int) -> None:
        """End a process that has no children, and let its parent wait for it."""
        busy = {self.parents[pid] for pid in self.figures}
        leaves = sorted(self.figures.keys() - busy - {ROOT})
        if leaves:
            pid = leaves[choice % len(leaves)]
            self.figures[self.parents[pid]] += self.figures.pop(pid)

    def readings(self) -> dict[int, Reading]:
        return {
            pid: Reading({"cpu_seconds": figure}, pid, self.parents[pid])
            for pid, figure in self.figures.items()
        }


choices = st.integers(0, 20)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("fork"), choices),
        st.tuples(st.just("run"), choices, st.integers(0, 1000)),
        st.tuples(st.just("exit"), choices),
        st.tuples(st.just("sample")),
        st.tuples(st.just("torn"), choices),
    ),
    max_size=60,
)


def counter() -> Accumulator:
    return Accumulator(("cpu_seconds",), frozenset(("cpu_seconds",)))


def total(of: Accumulator) -> float:
    return of.totals.get("cpu_seconds", 0.0)


def torn(kernel: Kernel, choice: int) -> dict[int, Reading]:
    """A sample that read the parents, then a process ended, then the children were read."""
    before = kernel.readings()
    kernel.exit(choice)
    return {pid: one for pid, one in before.items() if pid in kernel.figures}


@settings(max_examples=300)
@example([("fork", 0), ("fork", 1), ("run", 14, 1), ("sample",), ("torn", 0), ("torn", 0)])
@example([("fork", 0), ("run", 1, 9), ("sample",), ("torn", 0)])
@example([("fork", 0), ("fork", 1), ("run", 2, 9), ("sample",), ("exit", 0), ("exit", 0)])
@given(operations)
def test_every_work_counts_once_and_the_total_never_falls(steps):
    kernel, of = Kernel(), counter()
    for name, *arguments in [*steps, ("sample",), ("sample",)]:
        last = total(of)
        if name == "sample":
            of.add(kernel.readings(), lambda _: False)
        elif name == "torn":
            of.add(torn(kernel, *arguments), lambda _: False)
        else:
            getattr(kernel, name)(*arguments)
        assert last <= total(of) <= kernel.work
    assert total(of) == kernel.work


keys = st.sampled_from("abcd")
anything = st.lists(
    st.dictionaries(
        keys,
        st.fixed_dictionaries({}, optional={"cpu_seconds": st.floats(0, 1e9), "x": st.just(1.0)}),
    ),
    max_size=12,
)


@given(anything, st.sets(keys))
def test_whatever_is_read_the_total_never_falls(samples, running):
    of, last = counter(), 0.0
    for sample in samples:
        readings = {key: Reading(figures, ord(key), ord("a")) for key, figures in sample.items()}
        recent = of.add(readings, running.__contains__)
        assert recent.get("cpu_seconds", 0.0) >= 0
        assert total(of) >= last
        last = total(of)


def test_what_runs_out_of_sight_is_not_counted_twice():
    of = counter()
    here = {"a": Reading({"cpu_seconds": 5.0}, 1)}
    of.add(here, lambda _: True)
    of.add({}, lambda _: True)
    of.add(here, lambda _: True)
    assert total(of) == 5.0


def test_what_was_done_before_it_was_seen_counts_but_not_as_recent():
    of = counter()
    old, young = (Reading({"cpu_seconds": 5.0}, pid, born=born) for pid, born in ((1, 0), (2, 1)))
    assert of.add({1: old}, bool) == {}
    assert of.add({1: old, 2: young}, bool) == {"cpu_seconds": 5.0}
    assert total(of) == 10.0


def test_what_could_not_be_read_before_is_not_growth():
    of = counter()
    of.add({1: Reading({}, 1)}, bool)
    assert of.add({1: Reading({"cpu_seconds": 7.0}, 1)}, bool) == {"cpu_seconds": 0.0}
    assert of.add({1: Reading({}, 1)}, bool) == {}
    assert of.add({1: Reading({"cpu_seconds": 9.0}, 1)}, bool) == {"cpu_seconds": 2.0}


def test_a_parent_that_does_not_wait_is_believed_again_soon():
    """Where it ignores its children's end, the kernel adds nothing to it."""
    of = counter()
    of.add({1: Reading({"cpu_seconds": 0.0}, 1), 2: Reading({"cpu_seconds": 90.0}, 2, 1)}, bool)
    seen = []
    for second in range(1, 2 * PATIENCE):
        of.add({1: Reading({"cpu_seconds": float(second)}, 1)}, lambda _: False)
        seen.append(total(of) - 90.0)
    assert seen == pytest.approx([0.0] * PATIENCE + [1.0] * (PATIENCE - 1))


def test_counters_that_are_not_inherited_are_not_taken_from_parents():
    of = Accumulator(("context_switches",))
    of.add({1: Reading({"context_switches": 1.0}, 1), 2: Reading({"context_switches": 9.0}, 2, 1)},
           bool)  # fmt: skip
    of.add({1: Reading({"context_switches": 4.0}, 1)}, lambda _: False)
    assert of.totals == {"context_switches": 13.0}
