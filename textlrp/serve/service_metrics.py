"""The Prometheus metrics of ``GET /metrics``. Open it to add one."""

from __future__ import annotations

import os
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable with the folder in which several worker processes share their metrics."""
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_TEXTS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True)
class ServiceMetrics:
    """The metrics of a service, and the registry that they belong to."""

    registry: CollectorRegistry
    requests: Counter
    seconds: Histogram
    texts: Counter
    batches: Histogram
    waiting: Gauge

    def observe_batch(self, texts: int) -> None:
        """Count a batch that is computed."""
        self.batches.observe(texts)

    def exposition(self) -> bytes:
        """Return all metrics in the text format of Prometheus; with several workers, those of all workers."""
        if SHARED_FOLDER not in os.environ:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)


def service_metrics() -> ServiceMetrics:
    """Create the metrics of a service in a registry of their own."""
    registry = CollectorRegistry()
    if SHARED_FOLDER not in os.environ:
        ProcessCollector(registry=registry)
    return ServiceMetrics(
        registry,
        Counter("textlrp_requests", "Answered requests.", ["method", "route", "status"], registry=registry),
        Histogram(
            "textlrp_request_seconds", "Time to answer a request.", ["route"], buckets=_SECONDS, registry=registry
        ),
        Counter("textlrp_texts", "Texts of answered requests.", ["route"], registry=registry),
        Histogram("textlrp_batch_texts", "Texts that were computed together.", buckets=_TEXTS, registry=registry),
        Gauge(
            "textlrp_waiting_requests", "Requests that are processed or wait.", registry=registry,
            multiprocess_mode="livesum",
        ),
    )  # fmt: skip
