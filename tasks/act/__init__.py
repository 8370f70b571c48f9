"""What changes something: processes started, identified and stopped."""
