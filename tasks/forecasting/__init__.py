"""Forecasting at work: models fitted and kept, forecasts stored and scored, what runs out."""
