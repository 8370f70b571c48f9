"""Parsers of what other tools send: a body in, events out. Pure; one module a kind of source."""
