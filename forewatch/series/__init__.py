"""Which series there are for whom, and how they are read for models."""
