"""Anomalies of a series by its own history: streaming, strictly causal, of bounded state."""

from forewatch.detection.anomaly.detector import Detector
from forewatch.detection.anomaly.scores import Kind, Score, Scores
from forewatch.detection.anomaly.silence import silent

__all__ = ["Detector", "Kind", "Score", "Scores", "silent"]
