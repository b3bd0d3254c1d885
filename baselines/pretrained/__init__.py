"""Provides networks that others trained: fetched by version and checksum, read without their makers' library."""
