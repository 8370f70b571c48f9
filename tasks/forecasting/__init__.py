"""The hands of forecasting: models fitted and kept, forecasts stored and scored, what runs out."""
