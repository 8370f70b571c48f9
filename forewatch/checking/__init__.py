"""What a check's results and a job's calls mean. Pure; `tasks` probes."""
