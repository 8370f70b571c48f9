"""Models of the level alone, for series too short or too irregular for more: the floor that others must beat."""

from __future__ import annotations

import numpy as np

from forewatch.detection.grid import Vector
from forewatch.detection.models.part import Part
from forewatch.detection.models.rhythm import Rhythm


def random_walk(y: Vector) -> Part:
    """It stays where it is."""
    return Part("random walk", np.ones(1), Rhythm(), float(np.std(np.diff(y))))


def random_walk_with_drift(y: Vector) -> Part:
    """It goes on as it went on the whole."""
    change = np.diff(y)
    return Part("random walk with drift", np.ones(1), Rhythm(float(np.mean(change))), float(np.std(change)))


def typical_level(y: Vector) -> Part:
    """It is what it mostly was."""
    level = float(np.median(y))
    return Part("typical level", np.zeros(0), Rhythm(level), float(np.std(y - level)))
