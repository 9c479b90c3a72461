"""The trips stage: filings and uses in; trips with their history, and what is wrong with filings, out."""
