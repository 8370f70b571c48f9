"""Models of single series: fitted, chosen by trial, kept as a few numbers, forecast on from. Pure: time comes in."""

from forewatch.detection.models.fitting import fit, fit_many
from forewatch.detection.models.model import Model, load
from forewatch.detection.models.state import VERSION

__all__ = ["VERSION", "Model", "fit", "fit_many", "load"]
