"""Trained networks over HTTP: predictions for pictures, and the report as a page.

`load_served` reads models, `create_app` makes the application, `serve` runs it. Models are only loaded from
safetensors. It needs the packages of the extra `serve`.
"""

from convscope.service.app import create_app as create_app
from convscope.service.guard import LOOPBACK as LOOPBACK, choose_hosts as choose_hosts
from convscope.service.limits import Limits as Limits
from convscope.service.pictures import write_example as write_example
from convscope.service.served import Served as Served, load_served as load_served
from convscope.service.server import serve as serve
