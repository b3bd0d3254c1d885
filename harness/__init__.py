"""The orchestrator: what to run, in which order, on which testbed; what was measured; what it means."""
