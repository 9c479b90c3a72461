"""The ledger stage: ends of crossings in, border records out."""
