"""``200`` means: counted in the next scrape. Random requests, also many at once."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from tests.web.support import Client, running

PREFIX = "counted-"


def totals(client: Client) -> Counter[str]:
    """What each of our models has counted."""
    found: Counter[str] = Counter()
    for (name, labels), value in client.metrics().items():
        model = dict(labels).get("model", "")
        if name == "model_predictions_total" and model.startswith(PREFIX):
            found[model] += int(value)
    return found


events = st.builds(
    lambda model, score, version, key: {
        "model": PREFIX + model, "score": score, "version": version, "id": key
    },
    st.sampled_from("abc"),
    st.sampled_from([0.1, 0.9, 1.5, "x", None]),
    st.sampled_from(["1", "2"]),
    st.one_of(st.none(), st.integers(0, 30)),
)  # fmt: skip
steps = st.lists(st.tuples(st.lists(events, max_size=8), st.booleans()), min_size=1, max_size=8)


@hypothesis(max_examples=40)
@given(steps)
def test_each_scrape_shows_what_was_acknowledged(served, steps) -> None:
    before = totals(served)
    expected = sum(before.values())
    for batch, scraped in steps:
        answer = served.post(batch).json()
        expected += answer.get("accepted", 0)
        if scraped:
            assert sum(totals(served).values()) == expected
    assert sum(totals(served).values()) == expected


def test_from_eight_clients_at_once() -> None:
    """Each client scrapes after its 200s: never less than it was told, in the end exactly all."""
    with running() as client, ThreadPoolExecutor(8) as pool:

        def one(number: int) -> int:
            rng = random.Random(number)
            model = f"{PREFIX}{number}"
            sent = 0
            for turn in range(40):
                size = rng.choice([1, 1, 1, 2, 10, 3000])
                batch = [{"model": model, "score": rng.random(), "label": 1} for _ in range(size)]
                sent += client.post(batch).json()["accepted"]
                if turn % 4 == 0:
                    assert totals(client)[model] == sent
            return sent

        sent = sum(pool.map(one, range(8)))
        assert sum(totals(client).values()) == sent
        assert client.value("modelmeter_events_received_total") == sent
