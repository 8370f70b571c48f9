"""Who would be told of an alert, and whether that is whom one expects."""
