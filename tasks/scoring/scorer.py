"""Scores every finished step of every series, once and in order, in short pieces on the store's thread.

What a detector has learned is kept in the store now and then; what came since is read again from the points by whoever
goes on. Where an episode begins, changes or ends, it and its detector are stored in one transaction, so that no step
is told of twice.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from forewatch.clock import micros
from forewatch.config.models import Config
from forewatch.detection.anomaly import Score
from forewatch.detection.episode import MEDIUM, Episode, Level, follow
from forewatch.series.anomaly_series import Expected, chosen
from forewatch.series.step_means import finished, read
from forewatch.store import anomalies, detectors, series
from forewatch.store.engine import Store
from forewatch.store.points import Mean
from forewatch.store.series import Series
from forewatch.store.slices import SLICE
from tasks.scoring.missing_data import present_since, silences
from tasks.scoring.scored_series import Watched, begun, restored

log = logging.getLogger("forewatch.anomalies")

SAVE_EVERY = 300.0
"""Seconds after which what a detector has learned is stored."""
HISTORY = 7 * 86_400.0
"""Seconds of what is stored that a new detector learns from."""
BATCH = 50
"""Series read at once."""
AT_ONCE = 10
"""Series taken up at once."""
MOST_STEPS = 500
"""Steps of one series read at once."""


class Scorer:
    """One a watch; not thread-safe. `begin`, then `work` until it is done; `catch_up` in what time is left."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.watched: dict[int, Watched] = {}
        self.chosen: Mapping[int, tuple[Series, Level]] = {}
        self._config: Config | None = None
        self._expected: Expected | None = None
        self._seen = (0, 0)
        self._open: dict[int, Episode] = {}
        """What went on when this watch began, until its series is taken up."""
        self._unread: deque[int] = deque()
        """Chosen, and not taken up yet: their detectors are in the store, or they are young."""
        self._due: deque[list[Watched]] | None = None
        self._behind: deque[Watched] = deque()
        self._unwritten: dict[tuple[int, int, str], Episode] = {}
        self._verdicts: list[Episode] = []
        self._heard = 0
        self._now = 0
        self._present = 0

    def begin(self, config: Config, now: int) -> None:
        """Find out what there is to do by `now`. Raises StoreUnavailable."""
        with self._store.read_metrics() as conn:
            if self._config is None:
                self._open = {one.series_id: one for one in anomalies.going_on(conn, now)}
            seen = series.signature(conn)
            if config is not self._config or seen != self._seen:
                self._choose(config, chosen(config, series.all_series(conn)), now)
                self._seen = seen
            self._verdicts += anomalies.judged_since(conn, self._heard)
            self._present = present_since(conn, now, config.metrics.every)
        self._heard = max([self._heard, *(one.verdict_at or 0 for one in self._verdicts)])
        self._unread = deque(number for number in self.chosen if number not in self.watched)
        self._now, self._due = now, None

    def work(self) -> bool:
        """A slice of what is due; True when all is done. Raises StoreUnavailable: what was learned stays in memory."""
        until = time.monotonic() + SLICE
        while self._unread and time.monotonic() < until:
            self._take_up([self._unread.popleft() for _ in range(min(AT_ONCE, len(self._unread)))])
        if self._unread:
            return False
        if self._due is None:
            self._hear_verdicts()
            self._due = deque(self._batches())
        while self._due and time.monotonic() < until:
            batch = self._due.popleft()
            self._score(batch, finished(self._now, batch[0].step))
        if not self._due:
            self._listen()
        return not self._due

    def catch_up(self) -> bool:
        """A piece of the history of a series that is behind; True when none is."""
        while self._behind:
            one = self._behind[0]
            end = finished(self._now, one.step)
            if one.next < end and self.watched.get(one.series.id) is one:
                self._score([one], min(end, one.next + MOST_STEPS * micros(one.step)))
                return False
            self._behind.popleft()
        return True

    def save(self, seconds: float = SLICE) -> bool:
        """Store what was learned, for about so long; True when all is. Raises StoreUnavailable."""
        until = time.monotonic() + seconds
        waiting = [one for one in self.watched.values() if one.unsaved]
        for batch in series.chunks(waiting, BATCH):
            if time.monotonic() >= until:
                return False
            self._write(batch)
        return True

    @property
    def looked_at(self) -> dict[int, Series]:
        """The series, by number."""
        return {number: one for number, (one, _) in self.chosen.items()}

    def now_told(self, told: Sequence[Episode]) -> None:
        """What was made of episodes is stored; keep it in mind."""
        for one in told:
            watched = self.watched.get(one.series_id)
            if watched is not None and watched.open is not None and watched.open.id == one.id:
                watched.open = replace(watched.open, told=one.told, reason=one.reason)

    def _choose(self, config: Config, found: Mapping[int, tuple[Series, Level]], now: int) -> None:
        self._config, self.chosen, self._expected = config, found, Expected(config)
        for number in [number for number in self.watched if number not in found]:
            one = self.watched.pop(number)
            if one.open is not None:
                self._open[number] = one.open
        for number, watched in self.watched.items():
            watched.opens = found[number][1]
        for number in [number for number in self._open if number not in found]:
            episode = self._open.pop(number)
            self._keep(replace(episode, end=now, reason=f"{episode.reason}; no longer looked at".lstrip("; ")))

    def _take_up(self, numbers: Sequence[int]) -> None:
        """Restore the detectors of some series, or begin with them where they have points enough."""
        began = time.monotonic()
        with self._store.read_metrics() as conn:
            rows = {row.series_id: row for row in detectors.get_many(conn, numbers)}
            for number in numbers:
                one, level = self.chosen[number]
                watched = self._restored(one, level, rows.get(number))
                if watched is not None:
                    watched.saved_at = began
                else:
                    watched = begun(conn, one, level, self._now, HISTORY)
                if watched is None:
                    continue
                watched.open = self._open.pop(number, None)
                self.watched[number] = watched

    def _restored(self, one: Series, level: Level, row: detectors.Detector | None) -> Watched | None:
        if row is None:
            return None
        try:
            watched = restored(one, level, row)
        except ValueError as error:
            log.warning("%s %s is being learned again: %s", one.metric, dict(one.labels), error)
            return None
        # Learned in a future that a clock set forward made up, or with steps that no longer fit.
        return None if watched.next > self._now + micros(2 * watched.step) or watched.slowed_down else watched

    def _hear_verdicts(self) -> None:
        """Let detectors take in what people said, and store that they did."""
        heard = []
        for said in self._verdicts:
            one = self.watched.get(said.series_id)
            if one is None or said.verdict_at is None or said.verdict_at <= one.heard:
                continue
            (one.detector.forgive if said.verdict == "noise" else one.detector.confirm)(said.peak)
            one.heard, one.unsaved = said.verdict_at, True
            heard.append(one)
        self._verdicts = []
        if heard:
            self._write(heard)

    def _batches(self) -> Iterator[list[Watched]]:
        """Series to be read at once: those that are at the same step. What is far behind is left for `catch_up`."""
        groups: dict[tuple[float, int], list[Watched]] = {}
        known = set(self._behind)
        anew: list[Watched] = []
        for one in self.watched.values():
            end = finished(self._now, one.step)
            if one.next > end + micros(2 * one.step) or one.slowed_down:
                anew.append(one)
            elif end - one.next > MOST_STEPS * micros(one.step):
                if one not in known:
                    self._behind.append(one)
            elif one.next < end:
                groups.setdefault((one.step, one.next), []).append(one)
        if anew:
            self._begin_anew(anew)
        for (step, start), members in groups.items():
            steps = (finished(self._now, step) - start) // micros(step)
            for batch in series.chunks(members, max(1, min(BATCH, MOST_STEPS // steps))):
                yield list(batch)

    def _begin_anew(self, many: Sequence[Watched]) -> None:
        for one in many:
            del self.watched[one.series.id]
            if one.open is not None:
                self._keep(replace(one.open, end=max(one.open.start, min(one.open.last, self._now))))
        with self._store.measure() as conn:
            detectors.remove(conn, [one.series.id for one in many])

    def _score(self, batch: Sequence[Watched], end: int) -> None:
        with self._store.read_metrics() as conn:
            found = read(conn, [one.series for one in batch], batch[0].next, end, batch[0].step)
        changed = [one for one in batch if self._give(one, found.get(one.series.id, ()), end)]
        now = time.monotonic()
        late = [one for one in batch if one.unsaved and one not in changed and now - one.saved_at >= SAVE_EVERY]
        if changed or late:
            self._write([*changed, *late])

    def _give(self, one: Watched, means: Sequence[Mean], end: int) -> bool:
        """Score some steps of a series in their order; whether an episode began, changed or ended."""
        one.next = end
        if not means:
            return False
        one.unsaved = True
        before = one.open
        if before is not None and before.kind == "silent":
            self._keep(replace(before, end=means[0].at), one)
        for mean in means:
            one.noticed(mean)
        for mean, score in self._scored(one, means):
            if mean.at + micros(one.step) <= one.heard and one.open is None:
                continue
            episode = follow(
                one.open, one.series.id, mean.at, one.step, mean.value, score, self._level(one, score.score)
            )
            if episode is not None and episode != one.open:
                self._keep(episode, one)
        return one.open != before

    @staticmethod
    def _scored(one: Watched, means: Sequence[Mean]) -> Iterator[tuple[Mean, Score]]:
        """The steps that matter with their scores: all while something is open, else those with a score."""
        if len(means) == 1:
            yield means[0], one.detector.update(means[0].at, means[0].value)
            return
        times, values = np.array([mean.at for mean in means]), np.array([mean.value for mean in means])
        scores = one.detector.update_many(times, values)
        for index, mean in enumerate(means):
            if scores.score[index] > 0 or one.open is not None:
                yield mean, scores[index]

    def _level(self, one: Watched, score: float) -> Level | None:
        if score <= 0 or self._config is None:
            return None
        budget = self._config.anomalies.false_alarms
        if score >= one.detector.threshold(budget):
            return "high"
        if one.opens == "medium" and score >= one.detector.threshold(budget * MEDIUM):
            return "medium"
        return None

    def _listen(self) -> None:
        assert self._expected is not None, "begin comes before work"
        for one, episode in silences(self.watched.values(), self._expected, self._present, self._now):
            self._keep(episode, one)
        if self._unwritten:
            self._write([])

    def _keep(self, episode: Episode, one: Watched | None = None) -> None:
        """An episode as it stands now: to be written, and remembered while it goes on."""
        if one is not None:
            one.open = episode if episode.end is None else None
        self._unwritten[episode.series_id, episode.start, episode.kind] = episode

    def _write(self, batch: Sequence[Watched]) -> None:
        with self._store.measure() as conn:
            stored = [anomalies.put(conn, episode) for episode in self._unwritten.values()]
            detectors.put_many(conn, [one.as_row() for one in batch])
        self._unwritten.clear()
        now = time.monotonic()
        for one in batch:
            one.unsaved, one.saved_at = False, now
        for episode in stored:
            watched = self.watched.get(episode.series_id)
            if watched is not None and watched.open is not None and watched.open.start == episode.start:
                watched.open = replace(watched.open, id=episode.id)
