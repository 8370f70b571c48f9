"""Benchmarks: one module each with `NAME`, `async def run(options) -> dict` and `table(result) -> str`.

A module may have `add_options(parser)` for options of its own, which are None unless given.

`python -m benchmarks [name ...] [--json FILE]` runs them and writes `bench-output/<name>.json`.
"""
