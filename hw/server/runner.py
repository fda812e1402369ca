"""Runs accepted jobs: simulates each in a thread and finishes it when its time has come."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from hw.server import simulate
from hw.server.circuits import read_circuit
from hw.server.jobs import Jobs
from hw.server.request import JobRequest


class Runner:
    """Takes accepted jobs to their end, on one event loop.

    The simulation starts at once and may end long before the job does: the latency model alone says when
    answers can be seen.

    Args:
        jobs: the jobs.
    """

    def __init__(self, jobs: Jobs):
        self._jobs = jobs
        self._threads = ThreadPoolExecutor(jobs.config.simulation_threads, thread_name_prefix="simulation")
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Takes up the jobs that an earlier process left unfinished."""
        self._threads.submit(
            simulate.answer, [read_circuit([], "qis")], "ideal", None, 0
        )  # loads what it needs
        for job_id in self._jobs.unfinished():
            self.launch(job_id)

    def launch(self, job_id: str, request: JobRequest | None = None) -> None:
        """Starts running a job; must be called on the event loop.

        Args:
            job_id: its id.
            request: what it asks for; read from the database where it is not given.
        """
        task = asyncio.create_task(self._run(job_id, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Leaves the rest to the next process that opens the database."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    async def _run(self, job_id: str, request: JobRequest | None) -> None:
        loop = asyncio.get_running_loop()
        ends_at = await loop.run_in_executor(self._threads, self._jobs.run, job_id, request)
        await self._jobs.schedule.wait_until(ends_at)
        await loop.run_in_executor(None, self._jobs.finish, job_id)
