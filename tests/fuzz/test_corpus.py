"""Every seed and everything that fuzzing has found, again."""

import pytest

from tests.fuzz.seeds import CORPUS, seeds
from tests.fuzz.targets import TARGETS

FILES = sorted(path for path in CORPUS.glob("*/*") if path.is_file())


def test_every_target_has_seeds():
    assert {path.parent.name for path in FILES} == set(TARGETS) == set(seeds())
    assert sum(path.stat().st_size for path in FILES) < 2**20


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_it_holds(path):
    TARGETS[path.parent.name](path.read_bytes())
