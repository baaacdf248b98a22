"""What the service counts, for Prometheus; each application has a registry of its own."""

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
    """The counters of one application. Every label has few values: nothing that a client makes up becomes one."""

    def __init__(self, models: tuple[Served, ...]) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "convscope_requests",
            "Requests by what became of them.",
            ("method", "path", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "convscope_request_seconds",
            "From the end of the headers to the end of the answer.",
            ("path",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.in_work = Gauge(
            "convscope_requests_in_work", "Requests that are computed or wait for it.", registry=self.registry
        )
        self.received = Counter("convscope_received_bytes", "Bytes of bodies.", registry=self.registry)
        self.sent = Counter("convscope_sent_bytes", "Bytes of answers.", registry=self.registry)
        self.held = Gauge("convscope_held_bytes", "Bytes of bodies and answers in memory.", registry=self.registry)
        self.images = Counter("convscope_images", "Images that were answered.", ("model",), registry=self.registry)
        self.rejected = Counter(
            "convscope_none_of_these", "Images of none of the classes.", ("model",), registry=self.registry
        )
        self.computing = Histogram(
            "convscope_computing_seconds",
            "Reading, computing and writing the answer of one request, without waiting.",
            ("model",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        info = Gauge("convscope_model_info", "Always 1.", ("model", "version", "architecture"), registry=self.registry)
        for one in models:
            info.labels(one.name, one.version, one.model.name).set(1)
            self.images.labels(one.name)
            self.rejected.labels(one.name)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    def text(self) -> bytes:
        """Return all of them in Prometheus's text format."""
        return generate_latest(self.registry)
