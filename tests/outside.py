"""Find out which files a process writes to an empty home folder, and which hosts it looks up."""

import os
import re
import subprocess
import sys
from pathlib import Path
from socket import gethostname

SWITCHES = {"ORT_DISABLE_TELEMETRY": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "RAY_USAGE_STATS_ENABLED": "0"}
"""Variables that stop the telemetry of these packages in the tests; `trace` starts processes without them."""

_ADDRESS = re.compile(r"[0-9.]+|[0-9a-f]*:[0-9a-f:.]*")  # IPv4 or IPv6: an address needs no look-up
# A library to preload: its getaddrinfo appends each name to the file $LOOKUPS, then calls the real function.
_SHIM = r"""
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
extern "C" int getaddrinfo(const char *node, const char *service, const addrinfo *hints, addrinfo **found) {
  int log = open(getenv("LOOKUPS"), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dprintf(log, "%s\n", node ? node : "");
  close(log);
  auto real = reinterpret_cast<decltype(&getaddrinfo)>(dlsym(RTLD_NEXT, "getaddrinfo"));
  return real(node, service, hints, found);
}
"""


def trace(code: str, folder: Path) -> tuple[set[str], set[str]]:
    """Run Python `code` in `folder` with a home folder of its own.

    Returns:
        the files in the home folder afterwards, and the names of other hosts that it and its children looked up.
    """
    home, lookups, shim = folder / "home", folder / "lookups", folder / "shim.so"
    home.mkdir()
    subprocess.run(
        ["g++", "-shared", "-fPIC", "-o", str(shim), "-xc++", "-", "-ldl"], input=_SHIM, text=True, check=True
    )
    kept = {name: value for name, value in os.environ.items() if name not in SWITCHES and not name.startswith("XDG_")}
    settings = {"HOME": str(home), "LD_PRELOAD": str(shim), "LOOKUPS": str(lookups)}
    completed = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=kept | settings, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr
    files = {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}
    names = set(lookups.read_text().split()) if lookups.exists() else set()
    return files, {name for name in names if name not in ("localhost", gethostname()) and not _ADDRESS.fullmatch(name)}
