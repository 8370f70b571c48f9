"""Stored decisions, decided again."""
