"""Models of the level alone, for series too short or too irregular for more: the floor that others must beat."""

from __future__ import annotations

import numpy as np

from forewatch.detection.grid import Vector
from forewatch.detection.models.part import Part
from forewatch.detection.models.rhythm import Rhythm


def random_walk(y: Vector) -> Part:
    """It stays where it is."""
    return Part("random walk", Rhythm(), float(np.std(np.diff(y))), np.ones(1))


def random_walk_with_drift(y: Vector) -> Part:
    """It goes on as it went on the whole."""
    change = np.diff(y)
    return Part("random walk with drift", Rhythm(float(np.mean(change))), float(np.std(change)), np.ones(1))


def typical_level(y: Vector) -> Part:
    """It is what it mostly was."""
    level = float(np.median(y))
    return Part("typical level", Rhythm(level), float(np.std(y - level)))


def newest_level(y: Vector, window: int, said: str) -> Part:
    """It is what it mostly was in the newest `window` steps (`said`: how a person calls them)."""
    return Part(f"level of the last {said}", Rhythm(), _spread_of_steps(y, window), window=window)


def _spread_of_steps(y: Vector, window: int) -> float:
    # Of what lies about the windows' own medians, laid side by side.
    count = len(y) // window
    blocks = y[len(y) - count * window :].reshape(count, window)
    return float(np.std(blocks - np.median(blocks, axis=1, keepdims=True)))
