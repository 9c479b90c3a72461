"""The ledger database: notices and border records as rows, written once by the sink."""
