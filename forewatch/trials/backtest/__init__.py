"""Rules and detectors held against what was stored, before anybody trusts them with a page."""
