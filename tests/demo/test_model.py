"""The demo's model: honestly good, calibrated, and hurt by the change in the world."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from exporter.demo import dataset, model, world

TRAINING, STREAMED = dataset.split(dataset.load())
TRUTH = np.array([hour.label == dataset.BUSY for hour in STREAMED])


@pytest.fixture(scope="module")
def trained() -> model.Model:
    return model.train(TRAINING)


@pytest.fixture(scope="module")
def scores(trained: model.Model) -> np.ndarray:
    return trained.scores([hour.features() for hour in STREAMED])


def accuracy(scores: np.ndarray) -> float:
    return float(np.mean((scores >= model.THRESHOLD) == TRUTH))


def test_it_is_far_better_than_always_saying_quiet(scores):
    assert 0.91 < accuracy(scores) < 0.95
    assert accuracy(np.zeros(len(TRUTH))) < 0.65


def test_it_is_as_good_as_scikit_learns(scores):
    def columns(hours):
        return np.array(
            [
                [
                    *np.eye(48)[hour.hour + 24 * (not hour.working_day)],
                    *np.eye(12)[hour.date.month - 1],
                    *np.eye(4)[model.WEATHER.index(hour.weather)],
                    hour.temperature_celsius / 10,
                    hour.humidity_percent / 30,
                    hour.wind_kmh / 10,
                ]
                for hour in hours
            ]
        )

    learnt = LogisticRegression(max_iter=1000).fit(
        columns(TRAINING), [hour.label == dataset.BUSY for hour in TRAINING]
    )
    theirs = accuracy(learnt.predict_proba(columns(STREAMED))[:, 1])
    assert accuracy(scores) > theirs - 0.01


def test_its_fit_is_scikit_learns():
    rng = np.random.default_rng(7)
    design = rng.normal(size=(500, 6))
    positive = (design @ rng.normal(size=6) + rng.logistic(size=500) > 0).astype(float)
    theirs = LogisticRegression(C=1 / 0.5, fit_intercept=False, tol=1e-10, max_iter=1000)
    theirs.fit(design, positive)
    ours = model.fit_logistic(design, positive, ridge=0.5)
    np.testing.assert_allclose(ours, theirs.coef_[0], atol=1e-6)


def test_its_scores_are_probabilities_that_come_true(scores):
    for low in np.arange(0, 1, 0.2):
        inside = (scores >= low) & (scores < low + 0.2)
        assert abs(scores[inside].mean() - TRUTH[inside].mean()) < 0.05


def test_the_change_makes_it_wrong_in_a_third_of_the_hours(trained):
    changed = [world.with_hour_in_utc(hour).features() for hour in STREAMED]
    assert 0.6 < accuracy(trained.scores(changed)) < 0.72


def test_it_is_the_same_each_time(trained):
    np.testing.assert_array_equal(model.train(TRAINING).weights, trained.weights)


def test_it_answers_with_the_class_at_the_threshold(trained, scores):
    prediction, score = trained.predict(STREAMED[17].features())
    assert score == pytest.approx(scores[17])
    assert prediction == (dataset.BUSY if score >= 0.5 else dataset.QUIET)
    classes = {trained.predict(hour.features())[0] for hour in STREAMED[:48]}
    assert classes == set(dataset.CLASSES)
