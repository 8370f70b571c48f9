"""Sampling: the machine, services' processes and Forewatch itself as points, with psutil."""

from tasks.collect.collector import Collector

__all__ = ["Collector"]
