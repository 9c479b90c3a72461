"""The watch stage: each card at all port pairs."""
