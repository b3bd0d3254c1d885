"""Handles what stands on the table: lab.toml, boards and probes that are attached, and opening all of it for a run."""
