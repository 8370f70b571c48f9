"""Forewatch: watches services, sees trouble coming, fixes what it safely can, pages a person for the rest."""

__version__ = "0.1.0"
