"""The baseline of ``service_load.py``: a FastAPI application with one route that predicts, and nothing else."""

from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

import textlrp

MODEL = "20newsgroups-cnn"


class Texts(BaseModel):
    """The body of a request."""

    texts: list[str]


def run(kind: str, port: int) -> None:
    """Serve until the process ends; ``kind`` is ``"async"`` or ``"def"``."""
    model = textlrp.load(MODEL)
    labels = [str(label) for label in model.classes_]
    app = FastAPI()

    def scores(texts: list[str]) -> dict[str, Any]:
        found = model.scores(model.encode(texts))
        return {"predicted": [labels[row.argmax()] for row in found], "scores": found.tolist()}

    if kind == "async":

        @app.post("/predict")
        async def predict(body: Texts) -> dict[str, Any]:
            return scores(body.texts)
    else:

        @app.post("/predict")
        def predict_in_thread(body: Texts) -> dict[str, Any]:
            return scores(body.texts)

    scores(["warm up"])
    uvicorn.run(app, port=port, http="httptools", access_log=False, log_level="error")
