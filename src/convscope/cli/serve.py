"""`convscope serve`: trained networks over HTTP."""

from importlib.util import find_spec

import click

from convscope.base.versions import install_command
from convscope.cli.options import json_option, print_json
from convscope.cli.output import echo
from convscope.cli.records import ServedModel, ServeOutput

_NEEDED = ("fastapi", "uvicorn")  # modules of the extra `serve`


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option("--host", default="127.0.0.1", help="Network address to listen on; 0.0.0.0 for all.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, help="Port to listen on; 0 for any free one.")
@click.option(
    "--allow-host",
    "allowed",
    multiple=True,
    help="Host name allowed in requests, besides localhost; repeatable. By default any, unless --host is this machine.",
)
@click.option("--threads", type=click.IntRange(min=1), help="Number of worker threads; by default one per core.")
@click.option(
    "--deadline",
    type=click.FloatRange(0, 86400, min_open=True),
    default=30.0,
    help="Maximum seconds from a complete request to its response; later ones fail with status 503.",
)
@json_option
def serve(
    runs: tuple[str, ...],
    host: str,
    port: int,
    allowed: tuple[str, ...],
    threads: int | None,
    deadline: float,
    as_json: bool,
) -> None:
    """Serve trained networks over HTTP.

    RUN is a run folder or a model file, or NAME=RUN; by default the name is that of the folder. The report of a run is
    at /, and POST /v1/predict takes a picture, as the body or as a form field. The server listens to this machine only,
    unless --host is set. After Ctrl-C or SIGTERM it finishes open requests within 30 seconds and ends. The log goes to
    stderr.
    """
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise click.ClickException(f"{missing[0]} is not installed; run {install_command('serve')}")
    # Only after the check: the service needs packages of an extra.
    from convscope.service import Limits, choose_hosts, create_app, load_served, serve as run_service, write_example

    models = load_served(runs)
    limits = Limits(answer_seconds=deadline, **({} if threads is None else {"threads": threads}))

    def announce(address: str) -> None:  # only now, since the address has the port that the system chose for 0
        if as_json:
            served = tuple(ServedModel(name=model.name, version=model.version) for model in models)
            print_json(ServeOutput(address=address, models=served))
            return
        names = ", ".join(model.name for model in models)
        echo(f"Serving {names} at {address}; stop with Ctrl-C. To classify a picture:")
        echo(f"  {write_example(address, models)}")
        echo(f"For a picture of your own:\n  {write_example(address, models, 'PICTURE.png')}")

    run_service(
        create_app(models, limits, choose_hosts(host, allowed)), limits, host=host, port=port, on_start=announce
    )
