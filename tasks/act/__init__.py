"""Hands that change something: processes started, identified and stopped."""
