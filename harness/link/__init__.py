"""Shapes links: by the kernel's netem, a user-space link, or a TCP proxy. See docs/link.md."""
