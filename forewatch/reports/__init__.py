"""What people look at, read from the store: pages, API, CLI and Prefect artifacts all ask here."""
