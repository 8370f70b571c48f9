"""The world around a simulated Forewatch: what is ill, who receives what, what time it is, who is killed when."""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from chaos import Chaos
from deterministic_loop import PROCESS, DeterministicLoop, Process
from history_plan import GRID, Plan
from settings import SETTINGS, configuration, files
from simulated_services import Services
from simulated_store import HOME, Killed, SimulatedStore, is_stored, peek

from forewatch.alerting.notification import Notification
from forewatch.clock import MICROSECONDS, iso, micros, seconds
from forewatch.config.models import Config, Notifier
from forewatch.errors import DeliveryFailed, ForewatchError
from forewatch.incidents import why
from forewatch.notifying.sender import Receipt
from forewatch.runtime import Runtime
from forewatch.store import config_versions, looks

NINE_O_CLOCK = 1_793_696_400 * MICROSECONDS
FOLLOW_EVERY = 1.0
IDLE = 20.0
"""Seconds after which a process looks whether there is something to do, also where there is nothing to see."""
MOST_DECISIONS = 1000
"""In a history; most take fewer than a hundred."""
STALL = 40.0
"""Seconds a stalled process stands still: longer than any claim or watch lasts."""
RESTARTED_WITHIN = 4.0
"""Seconds after which another process does the work of one that was killed."""
RESTART_TAKES = 1.5
"""Seconds a service is away while a remedy restarts it."""


@dataclass(frozen=True)
class Hindrance:
    """`what`, a process or the store, could not do its work. Instants in seconds."""

    what: str
    since: float
    until: float


@dataclass(frozen=True)
class Received:
    """What a receiver got."""

    at: float
    notifier: str
    notification: Notification


@dataclass(frozen=True)
class Act:
    """A runbook's hand on a service."""

    at: float
    wall: int
    service: str
    run_id: str
    step: str


class WorldClock:
    """Wall time, which people set, and monotonic time, which nobody can."""

    def __init__(self, loop: DeterministicLoop) -> None:
        self._loop = loop
        self.offset = 0

    def now(self) -> int:
        return NINE_O_CLOCK + micros(self._loop.time()) + self.offset

    def monotonic(self) -> float:
        return self._loop.time()


class World:
    def __init__(self, plan: Plan, *, telling: bool = False) -> None:
        self.plan = plan
        self.loop = DeterministicLoop()
        self.chaos = Chaos(plan.seed, plan.rates, plan.mischief)
        self.clock = WorldClock(self.loop)
        self.store = SimulatedStore(self)
        self.counts: Counter[str] = Counter()
        self.story: list[str] = []
        self.unexpected: list[str] = []
        self.setting = SETTINGS[plan.setting]
        self.services = Services(
            self.setting.depends_on(), self.setting.main_checks(), self.setting.through, self.loop.time
        )
        self.attempts: dict[str, Received] = {}
        """The first try to send each notification, whatever came of it."""
        self.hindrances: list[Hindrance] = []
        self.configured: list[tuple[float, Config]] = []
        """Which configurations came into force when, seconds."""
        self.received: list[Received] = []
        self.taken_in: list[str] = []
        """Changes that were reported once, each under its own name, and answered 200."""
        self.inbound: list[tuple[str, bytes]] = []
        """What was posted to us and is not answered yet."""
        self.acts: list[Act] = []
        self.away: Counter[str] = Counter()
        """How many reasons there are for which a notifier, or Prefect, does not answer."""
        self.hanging: list[tuple[str, float]] = []
        """Of the runs that are to hang: what the next one is about to do then, and for how long it does."""
        self.disks_full = 0
        """How many reasons there are for which the store refuses."""
        self.processes: dict[str, Process] = {}
        """The newest of each name."""
        self.ended: set[str] = set()
        """Processes that died or ended: whoever waits for their watch sees that at once."""
        self.bells: dict[str, SimulatedBell] = {}
        """Who hears a ring: the last that began to listen, though it may be one that came late and leaves again."""
        self.listening: list[SimulatedBell] = []
        """All that look by themselves now and then."""
        self.newest: tuple[int, Config] = (0, configuration(plan.setting, 0))
        self.versions: dict[int, Config] = {}
        self.over = False
        self.sender: Any = None
        self._telling = telling
        self._statements = 0
        self._decisions = 0
        self._numbers: Counter[str] = Counter()

    def runtime(self) -> Runtime:
        """What a new process works with."""
        return Runtime(HOME, self.store, self.clock, Followed(self))  # type: ignore[arg-type]

    # --- processes, and what befalls them

    def start(self, name: str, main: Callable[[], Any]) -> Process:
        """Start a process; what it raises is unexpected."""
        process = Process(name, self.number(name))
        self.processes[name] = process
        context = copy_context()
        context.run(PROCESS.set, process)
        self.tell("starts", process)

        async def whole() -> None:
            try:
                await main()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
                self.unexpected.append(f"{process}: {type(error).__name__}: {error}")
            self.tell("ends", process)
            process.alive = False
            self.ended.add(str(process))

        self.loop.create_task(whole(), name=str(process), context=context)
        return process

    def number(self, name: str) -> int:
        self._numbers[name] += 1
        return self._numbers[name]

    async def yields(self, what: Callable[..., Any]) -> None:
        """A point at which the process that works may be killed, delayed, or stand still."""
        process = PROCESS.get()
        if process is None:
            return
        process.yields += 1
        self._statements = 0
        place = f"{process}@{process.yields}"
        mischief = self.chaos.at_yield(place)
        if mischief == "kill":
            self._kill(process, f"is killed about {_named(what)}")
            await asyncio.Future()
        elif mischief == "delay":
            self.counts["delays"] += 1
            lasts = round(self.chaos.number(f"{place} delay") * 8) * GRID / 2
            self.hinder(process.name, lasts)
            await asyncio.sleep(lasts)
        elif mischief == "stall":
            self.counts["stalls"] += 1
            self.tell(f"stands still for {STALL:g} s about {_named(what)}")
            self.hinder(process.name, STALL)
            await asyncio.sleep(STALL)
        elif process.name.startswith("run ") and self.hanging and self.hanging[0][0] == _named(what):
            _, lasts = self.hanging.pop(0)
            self.counts["runs that hang"] += 1
            self.tell(f"hangs for {lasts:g} s about {_named(what)}")
            self.hinder(process.name, lasts)
            process.hangs_until = self.loop.time() + lasts
        else:
            await asyncio.sleep(0)
        if process.hangs_until > self.loop.time():
            await asyncio.sleep(process.hangs_until - self.loop.time())

    def in_transaction(self, statement: str, parameters: Any) -> None:
        """Before a statement or a commit. Raises Killed where the process ends here."""
        process = PROCESS.get()
        if statement == "COMMIT":
            self.stir()
        if process is None:
            return
        if statement.startswith("INSERT INTO observations"):
            self._decides(process)
        if self._telling:
            self._tell_statement(statement, parameters)
        self._statements += 1
        place = f"{process}@{process.yields}.{self._statements}"
        if self.chaos.in_transaction(place) is not None:
            self._kill(process, f"is killed before {' '.join(statement.split()[:4])}")
            raise Killed

    def _decides(self, process: Process) -> None:
        """A decision is being stored. Whose watch is over may take none, and nobody takes them without end."""
        self._decisions += 1
        if self._decisions > MOST_DECISIONS:
            self.loop.halted = f"more than {MOST_DECISIONS} decisions are taken, it decides for ever"
        if process.watch is not None:
            role, own = process.watch
            term = peek(f"SELECT term FROM shifts WHERE shift = '{role}'")
            if term != own:
                self.unexpected.append(f"{process} decides in term {own} of {role}, and term {term} has begun")

    def kill(self, name: str) -> None:
        process = self.processes.get(name)
        if process is not None and process.alive:
            self._kill(process, "is killed")

    def _kill(self, process: Process, how: str) -> None:
        process.alive = False
        self.ended.add(str(process))
        self.counts["kills"] += 1
        self.hinder(process.name, RESTARTED_WITHIN)
        self.tell(how, process)

    def hinder(self, what: str, lasts: float) -> None:
        """For so long something cannot do its work, through no fault of the code."""
        now = self.loop.time()
        self.hindrances.append(Hindrance(what, now, now + lasts))

    # --- the outside

    def ring(self, home: object, name: str) -> bool:
        """`forewatch.bell.ring`: it may get lost."""
        bell = self.bells.get(name)
        if bell is not None and self.chaos.on_the_wire(f"ring {name} {self.number(f'ring {name}')}") is None:
            bell.ring()
        return True

    async def send(
        self, notifier: Notifier, parcel: Any, config: Config, home: object, patience: float, note: str = ""
    ) -> Receipt:
        """`tasks.delivery._send`: the wire to a receiver, which may lose either way or double."""
        notification: Notification = parcel.notification
        self.attempts.setdefault(notification.id, Received(self.loop.time(), notification.notifier, notification))
        place = f"{notifier.name} {notification.id} {self.number(f'wire {notifier.name} {notification.id}')}"
        mischief = self.chaos.on_the_wire(place)
        if self.chaos.enabled:
            await asyncio.sleep(GRID * round(4 * self.chaos.number(f"{place} takes")))
        if mischief == "lost" or self.away[notifier.name] > 0:
            self.counts["sendings lost"] += 1
            self.tell(f"{notification.id} does not reach {notifier.name}")
            await asyncio.sleep(patience if mischief == "lost" else 0)
            raise DeliveryFailed(f"{notifier.name}: no answer", permanent=False)
        if mischief == "refused":
            self.counts["sendings refused"] += 1
            self.tell(f"{notifier.name} refuses {notification.id}")
            raise DeliveryFailed(f"{notifier.name}: 410 Gone", permanent=True)
        for _ in range(2 if mischief == "twice" else 1):
            self.receive(notifier.name, notification)
        if mischief == "no answer":
            self.counts["answers lost"] += 1
            self.tell(f"the answer of {notifier.name} to {notification.id} is lost")
            await asyncio.sleep(patience)
            raise DeliveryFailed(f"{notifier.name}: no answer within {patience:g}s", permanent=False)
        return Receipt(notifier.name, "200")

    def receive(self, notifier: str, notification: Notification) -> None:
        self.received.append(Received(self.loop.time(), notifier, notification))
        if not notification.id.startswith("NT-direct") and not is_stored(notification.id):
            self.unexpected.append(f"{notifier} receives {notification.id} before its decision is stored")
        self.tell(f"{notifier} receives {notification.id}, a {notification.kind} ({notification.severity})")

    def act(self, service: str, run_id: str, step: str) -> None:
        """A remedy's hand: the service is away for a moment, and healed in two cases of three."""
        self.acts.append(Act(self.loop.time(), self.clock.now(), service, run_id, step))
        self.counts["acts"] += 1
        heals = self.chaos.number(f"{run_id} heals") < 0.67
        self.tell(f"{run_id} acts on {service}" + (" and heals it" if heals else " in vain"))
        self.services.restart(service, RESTART_TAKES, heals=heals)

    def due_in(self, name: str) -> float:
        """Seconds until a process that waits for a bell would find work unrung; beyond `IDLE`: none."""
        if name == "worker":
            only = "AND kind = 'respond'" if self.away["Prefect"] > 0 else ""
            waits = peek(f"SELECT 1 FROM runs WHERE state = 'waiting' {only} LIMIT 1")
            return 0.0 if waits else IDLE
        if name == "check-health":
            waited_for = self.clock.now() - micros(looks.STALE)
            return self._until(peek(f"SELECT min(due_at) FROM looks WHERE state = 'asked' AND due_at > {waited_for}"))
        if self.inbox_waits():
            return 0.0
        dues = [
            peek("SELECT min(due_at) FROM timers WHERE state = 'waiting'"),
            peek(
                "SELECT min(CASE state WHEN 'claimed' THEN claimed_until ELSE not_before END) FROM outbox "
                "WHERE state IN ('held', 'due', 'failed', 'claimed')"
            ),
        ]
        return min(self._until(due) for due in dues)

    def _until(self, due: int | None) -> float:
        return IDLE if due is None else seconds(due - self.clock.now())

    def inbox_waits(self) -> bool:
        """Whether something is taken in and not decided. Here the bell says so, not a poll."""
        mark = peek("SELECT value FROM counters WHERE name = 'inbox.seq'") or 1
        newest = peek("SELECT max(seq) FROM inbox", "intake")
        return newest is not None and newest >= mark

    def stir(self) -> None:
        """Something has changed that a waiting process may have to see at its next look."""
        for bell in self.listening:
            bell.stir()

    def configure(self, variant: int) -> None:
        with self.store.decide() as conn:
            version = config_versions.add(conn, files(self.plan.setting, variant), self.clock.now())
        self.newest = (version, configuration(self.plan.setting, variant))
        self.versions[version] = self.newest[1]
        self.configured.append((self.loop.time(), self.newest[1]))
        self.tell(f"configuration {version} (variant {variant}) comes into force")

    def report(self, error: BaseException, **about: object) -> None:
        """`guard.sentry.report`: an error nobody expected, unless it is one that Forewatch raises on purpose."""
        if not isinstance(error, ForewatchError):
            self.unexpected.append(f"{type(error).__name__}: {error} {about}")

    # --- the story

    def tell(self, text: str, process: Process | None = None) -> None:
        if self._telling and not self.over:
            who = process or PROCESS.get()
            self.story.append(f"{self.loop.time():8.2f}  {f'{who}' if who else 'world':16} {text}")

    def _tell_statement(self, statement: str, parameters: Any) -> None:
        written = [value for value in parameters or () if isinstance(value, str)]
        if statement.startswith("INSERT INTO observations"):
            event = json.loads(next(value for value in written if value.startswith('{"type"')))
            self.tell(f"decides at {iso(self.clock.now())} upon {why.happening(event)}")
        elif statement.startswith("INSERT INTO decisions"):
            for reason in json.loads(next(value for value in written if value.startswith('[{"code"') or value == "[]")):
                self.tell(f"    {reason['text']}")


class Followed:
    """`forewatch.config.reload.Configuration` for one simulated process: what it knows may be a second old."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._looked_at: float | None = None
        self._known: tuple[int, Config] | None = None

    def current(self) -> tuple[int, Config]:
        now = self._world.loop.time()
        if self._known is None or self._looked_at is None or now - self._looked_at >= FOLLOW_EVERY:
            self._known, self._looked_at = self._world.newest, now
        return self._known


class SimulatedBell:
    """`forewatch.bell.Bell` in the simulated world. Looks at which there would be nothing to see are left out."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name
        self._looked_at = world.loop.time()
        self._rung = False
        self._stirred = False
        self._waiter: asyncio.Future[None] | None = None
        world.bells[name] = self
        world.listening.append(self)

    def ring(self) -> None:
        self._rung = True
        self._wake()

    def stir(self) -> None:
        """There may be something to see, without anybody having rung."""
        self._stirred = True
        self._wake()

    async def wait(self, timeout: float) -> bool:
        loop = self._world.loop
        latest = loop.time() + IDLE
        while loop.time() < latest:
            self._stirred = False
            if not self._rung:
                wait = min(max(timeout, _on_the_grid(self._world.due_in(self._name))), latest - loop.time())
                self._waiter = loop.create_future()
                timer = loop.call_later(wait, self._wake)
                await self._waiter
                timer.cancel()
            if self._rung:
                self._rung = False
                return True
            if not self._stirred:
                return self._world.inbox_waits()
        return False

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def close(self) -> None:
        pass


def _on_the_grid(wait: float) -> float:
    return math.ceil(wait / GRID) * GRID if 0 < wait < IDLE else min(wait, IDLE)


def _named(what: Callable[..., Any]) -> str:
    return getattr(what, "__name__", str(what)).strip("_").replace("_", " ")
