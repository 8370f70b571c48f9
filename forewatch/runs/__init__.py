"""A runbook run at work: admitted, beating, its steps and their receipts."""
