"""A small model server, as there are many: it knows of modelmeter only where to send events.

    python -m exporter.demo.model_server --port 8080 --events-url http://127.0.0.1:9920/v1/events

`POST /predict` answers at once; the event about it leaves in the background, in batches.
"""

import argparse
import logging
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, Field

from exporter.demo import dataset
from exporter.demo.connection import HOST
from exporter.demo.model import MODEL, VERSION, Model, train
from exporter.demo.sender import EventSender


class Features(BaseModel):
    """An hour of the day, as it is known before it begins."""

    month: int = Field(ge=1, le=12)
    hour: int = Field(ge=0, le=23, description="in Washington's local time")
    working_day: bool
    weather: Literal["clear", "misty", "light rain or snow", "heavy rain or snow"]
    temperature_celsius: float = Field(ge=-60, le=60)
    humidity_percent: float = Field(ge=0, le=100)
    wind_kmh: float = Field(ge=0, le=300)


class PredictRequest(BaseModel):
    """What is asked."""

    features: Features


class PredictResponse(BaseModel):
    """What is answered."""

    id: str
    prediction: Literal["busy", "quiet"]
    score: float = Field(description="probability of a busy hour")


class Predictor:
    """Answers requests with a model and reports each answer as an event."""

    def __init__(self, model: Model, sender: EventSender) -> None:
        self._model = model
        self._sender = sender
        self._run = secrets.token_hex(4)
        self._count = 0

    def answer(self, features: Features) -> PredictResponse:
        """Return the model's answer; the event leaves later."""
        start = time.perf_counter()
        values = features.model_dump()
        prediction, score = self._model.predict(values)
        latency = time.perf_counter() - start
        self._count += 1
        name = f"{self._run}-{self._count}"
        self._sender.send(
            {
                "model": MODEL,
                "version": VERSION,
                "id": name,
                "ts": time.time(),
                "prediction": prediction,
                "score": score,
                "features": values,
                "latency_seconds": latency,
            }
        )
        return PredictResponse.model_validate(
            {"id": name, "prediction": prediction, "score": score}
        )


def create_app(predictor: Predictor, sender: EventSender) -> FastAPI:
    """Return the server's application; it starts the sender and empties it at the end."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sender.start()
        yield
        sender.close()

    app = FastAPI(title="Bike demand", version=VERSION, lifespan=lifespan)

    @app.post("/predict")
    async def predict(request: PredictRequest) -> PredictResponse:
        """Say whether the hour will be busy: more than 150 rentals."""
        return predictor.answer(request.features)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Say that the model is loaded."""
        return {"status": "ok", "model": MODEL, "version": VERSION}

    return app


def arguments() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = argparse.ArgumentParser(description="The demo's model server.")
    parser.add_argument("--host", default=HOST, help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    parser.add_argument("--events-url", required=True, help="modelmeter's /v1/events")
    return parser


def main() -> None:
    """Train the model and serve it."""
    options = arguments().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    training, _ = dataset.split(dataset.load())
    sender = EventSender(options.events_url)
    app = create_app(Predictor(train(training), sender), sender)
    uvicorn.run(
        app, host=options.host, port=options.port, access_log=False, log_level="warning", workers=1
    )


if __name__ == "__main__":
    main()
