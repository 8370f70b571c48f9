"""The commands of `forewatch`, one module a noun. Thin: each opens the store, calls what does the work, prints."""
