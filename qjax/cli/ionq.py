"""`qjax ionq serve`: the local server of IonQ's API in the foreground."""

from __future__ import annotations

from pathlib import Path

from qjax.cli.garbage import end_startup
from qjax.errors import MissingExtraError


def serve(
    *,
    port: int,
    database: Path,
    api_key: str,
    queue_seconds: float,
    seconds_per_circuit: float,
    concurrency: int | None,
    virtual_clock: bool,
    seed: int,
    faults: list[str],
) -> None:
    """Serves until it is interrupted or terminated.

    Args:
        port: the port; 0 for a free one.
        database: the SQLite file that holds the jobs.
        api_key: the key that clients use.
        queue_seconds: how long every job waits.
        seconds_per_circuit: how long each circuit runs.
        concurrency: how many jobs run at the same time; None for any number.
        virtual_clock: whether waiting is only written down.
        seed: seed of shots and faults.
        faults: faults as `hw.server.Fault.parse` reads them.

    Raises:
        QjaxError: if an argument has no meaning, the port is taken, the database cannot be opened, or a
            package that the server needs is not installed.
    """
    try:
        from hw.server import Fault, LatencyModel, ServerConfig
        from hw.server.local import HOST, listen, make_server
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "hw", "hw") from None
    end_startup()
    config = ServerConfig(
        database=database,
        api_keys=(api_key,),
        latency=LatencyModel(queue_seconds, seconds_per_circuit, concurrency, virtual_clock),
        seed=seed,
        faults=tuple(Fault.parse(text) for text in faults),
    )
    with listen(port) as listener:
        server = make_server(config)
        print(f"Jobs are kept in {database}. Stop with Ctrl-C; unfinished jobs go on at the next start.")
        print(f"Serving IonQ's API v0.4 at http://{HOST}:{listener.getsockname()[1]}", flush=True)
        server.run(sockets=[listener])
