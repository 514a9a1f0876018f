"""How much memory kept projections may take; alone here, so that who only passes it on needs no torch."""

MEMORY = 1 << 29
"""Bytes that kept projections may take: 512 MiB, enough for 160,000 words at 800 filters of one word."""
