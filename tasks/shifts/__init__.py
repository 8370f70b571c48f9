"""What each shift does while it stands watch. One duty a file; `flows/shifts.py` binds them to their shifts."""
