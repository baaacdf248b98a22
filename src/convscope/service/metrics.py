"""Count requests, images and bytes for Prometheus; each application has its own registry."""

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

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The counters of an application."""

    # Labels only have known values. If text of a client became a label, each new text would take memory for ever.

    def __init__(self, models: tuple[Served, ...]) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "convscope_requests",
            "Requests by outcome.",
            ("method", "path", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "convscope_request_seconds",
            "Time from the end of the request headers to the end of the response, in seconds.",
            ("path",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.in_work = Gauge("convscope_requests_in_work", "Requests in progress or waiting.", registry=self.registry)
        self.received = Counter("convscope_received_bytes", "Bytes of request bodies.", registry=self.registry)
        self.sent = Counter("convscope_sent_bytes", "Bytes of response bodies.", registry=self.registry)
        self.held = Gauge(
            "convscope_held_bytes", "Bytes of request and response bodies in memory.", registry=self.registry
        )
        self.images = Counter("convscope_images", "Classified images.", ("model",), registry=self.registry)
        self.rejected = Counter(
            "convscope_none_of_these", "Images refused as none of the classes.", ("model",), registry=self.registry
        )
        self.computing = Histogram(
            "convscope_computing_seconds",
            "Time to parse, compute and write one response, without waiting, in seconds.",
            ("model",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        info = Gauge("convscope_model_info", "Always 1.", ("model", "version", "architecture"), registry=self.registry)
        for model in models:
            info.labels(model.name, model.version, model.model.name).set(1)
            self.images.labels(model.name)
            self.rejected.labels(model.name)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    def text(self) -> bytes:
        """Format all counters in Prometheus's text format."""
        return generate_latest(self.registry)
