"""Count requests, images and bytes for Prometheus; each application has its own registry."""

from functools import partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from convscope.service.served import Served

# The upper bounds of the histograms' buckets, each about twice the one before: from a small network's time for an image
# to the default limit of an answer.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The counters of an application."""

    # Labels only have known values. If text of a client became a label, each new text would take memory for ever.

    def __init__(self, models: tuple[Served, ...]) -> None:
        self.registry = CollectorRegistry()
        counter, gauge = partial(Counter, registry=self.registry), partial(Gauge, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry, buckets=_SECONDS)
        self.requests = counter("convscope_requests", "Requests by outcome.", ("method", "path", "status"))
        self.seconds = histogram(
            "convscope_request_seconds",
            "Time from the end of the request headers to the end of the response, in seconds.",
            ("path",),
        )
        self.in_work = gauge("convscope_requests_in_work", "Requests in progress or waiting.")
        self.received = counter("convscope_received_bytes", "Bytes of request bodies.")
        self.sent = counter("convscope_sent_bytes", "Bytes of response bodies.")
        self.held = gauge("convscope_held_bytes", "Bytes of request and response bodies in memory.")
        self.images = counter("convscope_images", "Classified images.", ("model",))
        self.rejected = counter("convscope_none_of_these", "Images refused as none of the classes.", ("model",))
        self.computing = histogram(
            "convscope_computing_seconds",
            "Time to parse, compute and write one response, without waiting, in seconds.",
            ("model",),
        )
        info = gauge("convscope_model_info", "Always 1.", ("model", "version", "architecture"))
        for model in models:
            info.labels(model.name, model.version, model.model.name).set(1)
            # From 0 on, and not only from the first image: Prometheus computes rates from differences.
            self.images.labels(model.name)
            self.rejected.labels(model.name)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    def text(self) -> bytes:
        """Format all counters in Prometheus's text format."""
        return generate_latest(self.registry)
