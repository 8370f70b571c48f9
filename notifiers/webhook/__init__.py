"""A signed JSON POST to any address; the body and how to check its signature: docs/operations/notifications.md."""
