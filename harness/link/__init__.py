"""Links that can be shaped: the kernel's netem, a user-space link, a TCP proxy. docs/link.md."""
