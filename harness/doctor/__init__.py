"""Is a testbed fit to be measured with? Checks, each with its outcome and the cure."""
