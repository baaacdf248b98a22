from collections.abc import Iterator

import pytest
from tests.data.datasets.named.hosts import Host


@pytest.fixture
def host(monkeypatch) -> Iterator[Host]:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        for variable in (name, name.upper()):
            monkeypatch.delenv(variable, raising=False)
    host = Host()
    yield host
    host.server.shutdown()
    host.server.server_close()
