"""Logs with redaction, traces and metrics; a leaf that imports nothing else of this service."""
