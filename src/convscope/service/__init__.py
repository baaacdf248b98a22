"""Trained networks over HTTP: the Open Inference Protocol, predictions for pictures, and the report as a page.

`load_served` reads models, `create_app` makes the application of them, `serve` runs it. Nothing but safetensors is
loaded. It needs the packages of the extra `serve`.
"""

from convscope.service.app import create_app
from convscope.service.guard import LOOPBACK, hosts_for
from convscope.service.limits import Limits
from convscope.service.pictures import example_command
from convscope.service.served import Served, load_served
from convscope.service.server import serve

__all__ = ["LOOPBACK", "Limits", "Served", "create_app", "example_command", "hosts_for", "load_served", "serve"]
