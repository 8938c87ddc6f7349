"""What the server counts of itself, in Prometheus' text format."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from starlette.types import Scope

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_IMAGES = (1, 2, 4, 8, 16, 32, 64)


@dataclass
class Noted:
    """One request, while it is answered."""

    status: int = 500


class Meters:
    """Counters of one server; each server has its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        named: dict[str, Any] = {"registry": self._registry}
        self._requests = Counter(
            "striate_requests", "Requests answered.", ("path", "method", "status"), **named
        )
        self._seconds = Histogram(
            "striate_request_seconds", "From a request to its answer's end.", ("path",),
            buckets=_SECONDS, **named,
        )  # fmt: skip
        self._inside = Gauge("striate_requests_inside", "Requests being answered.", **named)
        self._images = Histogram(
            "striate_batch_images", "Images shown to the network at a time.", buckets=_IMAGES,
            **named,
        )  # fmt: skip
        self._batch = Histogram(
            "striate_batch_seconds", "The network's time for a batch.", buckets=_SECONDS, **named
        )
        self._waiting = Gauge("striate_images_waiting", "Images in the network's queue.", **named)

    def watch(self, waiting: Callable[[], float]) -> None:
        """Ask ``waiting`` how many images wait, whenever the counters are read."""
        self._waiting.set_function(waiting)

    def batch(self, images: int, seconds: float) -> None:
        """Count one batch."""
        self._images.observe(images)
        self._batch.observe(seconds)

    @contextmanager
    def request(self, scope: Scope) -> Generator[Noted]:
        """Count one request, by its route: never by its path, of which there is no end."""
        noted, began = Noted(), time.perf_counter()
        self._inside.inc()
        try:
            yield noted
        finally:
            self._inside.dec()
            path = str(getattr(scope.get("route"), "path", "none"))
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._requests.labels(path, method, str(noted.status)).inc()
            self._seconds.labels(path).observe(time.perf_counter() - began)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)


_METHODS = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE")
