"""The hands of rules and objectives: what they need is read, judged, and what changed is said."""
