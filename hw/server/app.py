"""The server as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import Route

from hw.server.config import ServerConfig
from hw.server.database import Database
from hw.server.faults import FaultSchedule
from hw.server.injection import FaultInjection
from hw.server.job_endpoints import JobEndpoints
from hw.server.jobs import Jobs
from hw.server.other_endpoints import OtherEndpoints
from hw.server.runner import Runner
from hw.server.views import PREFIX
from hw.server.web import ERROR_HANDLERS, with_key


def create_app(config: ServerConfig) -> FaultInjection:
    """The server as an ASGI application.

    Args:
        config: what it is started with.

    Returns:
        The application. Its database is open until its lifespan ends.

    Raises:
        StoreError: if the database cannot be opened.
    """
    database = Database(config.database)
    faults = FaultSchedule(config.faults, config.seed)
    jobs = Jobs(database, config, faults)
    runner = Runner(jobs)
    about_jobs = JobEndpoints(jobs, runner)
    others = OtherEndpoints(database, config, faults)
    guarded = [
        (method, PREFIX + path, handler) for method, path, handler in about_jobs.routes() + others.routes()
    ]
    routes = [
        Route(path, with_key(handler, config.api_keys), methods=[method])
        for method, path, handler in guarded + others.control_routes()
    ]
    routes += [
        Route(PREFIX + path, handler, methods=[method]) for method, path, handler in others.open_routes()
    ]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        runner.start()
        yield
        await runner.stop()
        database.close()

    application = Starlette(routes=routes, lifespan=lifespan, exception_handlers=ERROR_HANDLERS)
    return FaultInjection(application, faults, database)
