from collections.abc import Iterator

import pytest
from tests.data.datasets.named.hosts import Host

from convscope.data.datasets.named import download


@pytest.fixture
def host(monkeypatch) -> Iterator[Host]:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        for variable in (name, name.upper()):
            monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(download, "PAUSE_SECONDS", 0)
    host = Host()
    yield host
    host.server.shutdown()
    host.server.server_close()
