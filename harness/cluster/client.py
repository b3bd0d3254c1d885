"""Reaches the workers that `--cluster` asks for, and has them do calls. Dask schedules; who fails is asked again."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import queue
import signal
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any

from harness.cluster import same_bench, worker
from harness.cluster.address import Asked
from harness.cluster.worker import Mistake
from harness.contracts import scratch
from harness.contracts.errors import BenchError
from harness.runs.provenance import host_text

if TYPE_CHECKING:
    from distributed import Client, Future

log = logging.getLogger(__name__)

TRIES = 3  # of a call, where a worker's bench failed it
PATIENCE_S = 60.0  # without any worker
_CONNECT_S = 10.0
_LEAVE_S = 20.0
_LOOK_S = 0.5
_CHECK_S = 5.0  # between looks at scheduler and workers, where nothing comes in


class Cluster:
    """Holds the workers of one run."""

    def __init__(self, client: Client, asked: Asked) -> None:
        self._client, self._asked = client, asked
        self._bench = same_bench.key()
        self._seen = self._checked = time.monotonic()  # when there was a worker, when that was asked

    @property
    def workers(self) -> int:
        """Return how many calls are done at once."""
        return sum(self._client.nthreads().values())

    def facts(self) -> dict[str, Any]:
        """Return what a manifest says of the cluster. Addresses stay out of it."""
        import distributed  # noqa: PLC0415

        hosts = self._client.run(host_text)
        return {
            "kind": "local" if self._asked.local else "scheduler",
            "workers": self.workers,
            "hosts": sorted(set(hosts.values())),
            "dask": str(distributed.__version__),
        }

    def check_bench(self) -> None:
        """Check that all workers run the same bench as this one. One that joins later is asked at its first call.

        Raises:
            BenchError: one does not, with what differs.
        """
        for where, theirs in (("the scheduler", self._ask_scheduler()), *self._client.run(_look()).items()):
            if theirs is None:
                raise BenchError(f"{where} of the cluster has no bench", cure="install the same one there")
            if differs := same_bench.difference(theirs):
                raise BenchError(
                    f"{where} of the cluster runs another bench: {differs}", cure="install the same one there"
                )

    def _ask_scheduler(self) -> dict[str, str] | None:
        found: dict[str, str] | None = self._client.run_on_scheduler(_look())
        return found

    def each(
        self, call: Callable[..., Any], items: Sequence[Any], shared: worker.Shared
    ) -> Generator[tuple[int, Any], None, None]:
        """Have every item's `call(item, shared)` done by some worker; yield (index, result) as they come.

        Whatever a killed worker had is done by another. `shared` goes to each worker once.

        Raises:
            BenchError: a call failed `TRIES` times, the scheduler or all workers are gone, or a worker is of another
                bench. The rest is cancelled, also when the caller stops iterating.
        """
        client, done = self._client, queue.SimpleQueue["Future"]()
        waiting: dict[str, tuple[int, Future]] = {}
        tries = [0] * len(items)
        # A call whose arguments hold `shared`, and not scattered data: what a killed worker held is made again.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that it is large: it is sent once
            own = client.submit(_itself, shared, key=f"{shared.run}-shared", pure=False)

        def ask(indices: Sequence[int]) -> None:
            keys = [f"{shared.run}-{i}-{tries[i]}" for i in indices]
            asked = client.map(
                worker.called,
                *([self._bench] * len(indices), [call] * len(indices), [items[i] for i in indices]),
                [own] * len(indices),
                key=keys,
                pure=False,
            )
            for i, future in zip(indices, asked, strict=True):
                waiting[future.key] = i, future
                future.add_done_callback(done.put)

        try:
            ask(range(len(items)))
            while waiting:
                for i, result in self._finished(done, waiting):
                    if isinstance(result, Mistake):
                        tries[i] += 1
                        if result.final or tries[i] >= TRIES:
                            raise result.error()
                        log.warning("a worker failed, and its work is given out again: %s", result.what)
                        ask([i])
                    else:
                        yield i, result
        finally:
            self._leave(shared.run, own, waiting)

    def _finished(
        self, done: queue.SimpleQueue[Future], waiting: dict[str, tuple[int, Future]]
    ) -> list[tuple[int, Any]]:
        """Return what has come in meanwhile; nothing after a moment in which nothing came."""
        try:
            found = [done.get(timeout=_LOOK_S)]
        except queue.Empty:
            self._check()
            return []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(done.get_nowait())
        found = [future for future in found if future.key in waiting]
        for future in found:
            if future.status == "error":
                raise _told(future.exception())
            if future.status != "finished":  # cancelled or lost: the scheduler has forgotten it
                raise self._gone()
        results = self._gathered(found)
        indices = [waiting.pop(future.key)[0] for future in found]
        for future in found:
            future.release()
        return list(zip(indices, results, strict=True))

    def _gathered(self, found: Sequence[Future]) -> list[Any]:
        from distributed.comm import CommClosedError  # noqa: PLC0415

        try:
            results: list[Any] = self._client.gather(list(found))
        except (CommClosedError, TimeoutError, OSError) as e:
            raise self._gone() from e
        except Exception as e:
            raise _told(e) from e
        return results

    def _check(self) -> None:
        """Check that scheduler and at least one worker are there. Raises BenchError when they are gone for long."""
        if time.monotonic() - self._checked < _CHECK_S:
            return
        self._checked = time.monotonic()
        try:
            there = self._client.status == "running" and bool(self._client.nthreads())
        except Exception as e:
            raise self._gone() from e
        now = time.monotonic()
        if there:
            self._seen = now
        elif now - self._seen > PATIENCE_S:
            raise BenchError(f"{self._asked} has had no worker for {PATIENCE_S:g} s", cure="start workers")

    def _gone(self) -> BenchError:
        return BenchError(f"the Dask scheduler of {self._asked} is gone", cure="start it")

    def _leave(self, run: str, own: Future, waiting: dict[str, tuple[int, Future]]) -> None:
        """Cancel what is left, and have the workers close what they opened for it."""
        with contextlib.suppress(Exception):  # the cluster may be gone: then there is nothing to leave
            self._client.cancel([future for _, future in waiting.values()])
            self._client.sync(self._client._run, worker.let_go, run, callback_timeout=_LEAVE_S)
            self._client.cancel([own])


@contextmanager
def connected(asked: Asked) -> Iterator[Cluster]:
    """Reach the workers, which must run the same bench, for the duration of the block. Local ones are started and
    ended.

    Raises:
        BenchError: Dask is not installed, nobody is there, or a worker runs another bench.
    """
    if importlib.util.find_spec("distributed") is None:
        raise BenchError("--cluster needs Dask, which is not installed", cure="pip install 'agilenn-bench[cluster]'")
    with ExitStack() as held:
        client = _local(asked.local, held) if asked.local else _elsewhere(asked, held)
        cluster = Cluster(client, asked)
        cluster.check_bench()
        yield cluster


def _local(count: int, held: ExitStack) -> Client:
    """Start workers of one thread each that nobody but this process can reach: on loopback, behind certificates that
    live in memory.
    """
    import dask  # noqa: PLC0415
    from distributed import Client, LocalCluster, Security  # noqa: PLC0415

    _quiet()
    held.callback(scratch.sweep)  # at last: what a killed worker has left
    folder = held.enter_context(scratch.folder("dask"))
    settings = {
        "logging.distributed": "error",
        "distributed.scheduler.allowed-failures": 10,
        "temporary-directory": str(folder),
    }
    held.enter_context(dask.config.set(settings))
    # Ctrl-C goes to every process of the terminal. Threads and processes that are started now, and those that start
    # from them later, do not hear it; this one does, as soon as they are there. The tracker is there before, as its
    # start would unblock the signal again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        cluster = LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            protocol="tls://",
            security=Security.temporary(),
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.ERROR,
            local_directory=str(folder),
            memory_limit=0,
        )
        held.callback(_closed, cluster)
        client = Client(cluster, set_as_default=False)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    held.callback(_closed, client)
    return client


def _elsewhere(asked: Asked, held: ExitStack) -> Client:
    """Connect to a scheduler. Certificates for tls:// are those of Dask's own configuration."""
    from distributed import Client  # noqa: PLC0415

    _quiet()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions that differ: they are checked below
            client = Client(asked.address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError, TypeError, RuntimeError) as e:
        why = " ".join(str(e).split())[:200]
        raise BenchError(
            f"there is no Dask scheduler at {asked.address} ({why or type(e).__name__})",
            cure="start one (dask scheduler), check its certificates, or give local:N",
        ) from e
    held.callback(_closed, client)
    if not client.nthreads():
        raise BenchError(f"the Dask scheduler at {asked.address} has no workers", cure="start some: dask worker")
    return client


def _closed(what: Any) -> None:
    with contextlib.suppress(Exception):
        what.close(timeout=_LEAVE_S)


def _quiet() -> None:
    """Let Dask tell of errors only: a killed worker is our own matter. With -v it tells all."""
    if logging.getLogger("harness").getEffectiveLevel() > logging.INFO:
        for name in ("distributed", "distributed.client", "distributed.nanny", "distributed.scheduler", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL)


def _itself(shared: Any) -> Any:
    return shared


def _look() -> Callable[[], dict[str, str] | None]:
    """Return a function that tells which bench a process has. It is sent by value, as there may be none."""

    def look() -> dict[str, str] | None:
        try:
            from harness.cluster import same_bench as theirs  # noqa: PLC0415
        except ImportError:
            return None
        return theirs.facts()

    return look


def _told(error: BaseException | None) -> BaseException:
    """Return what to raise for a call that Dask itself gave up, or that failed by a fault of the bench."""
    from distributed.scheduler import KilledWorker  # noqa: PLC0415

    if isinstance(error, KilledWorker):
        return BenchError(
            "workers died again and again at the same sample", cure="see their logs, and that they have memory to spare"
        )
    if isinstance(error, ModuleNotFoundError):
        return BenchError(f"a worker of the cluster has no bench ({error})", cure="install the same one there")
    return error or BenchError("a worker failed and did not say why", cure="see its log")
