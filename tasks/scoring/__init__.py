"""Scoring what was measured: which series are looked at, what they are given, and what is made of it."""
