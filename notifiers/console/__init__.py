"""Every notification on the terminal of `forewatch up`, and in `logs/notifications.log`."""
