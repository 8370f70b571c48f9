"""Benchmarks: one module each with `NAME`, `async def run(options) -> dict` and `table(result) -> str`.

`python -m benchmarks [name ...] [--json FILE]` runs them and writes `bench-output/<name>.json`.
"""
