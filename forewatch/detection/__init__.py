"""From samples to "something is wrong": statistics, rules, forecasts, exhaustion, pictures. Pure: time comes in."""
