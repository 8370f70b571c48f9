"""Rules and objectives at work: what they need is read, judged, and what changed is said."""
