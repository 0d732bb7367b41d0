"""The Data Loader page and its API, over the staging loader's ledger."""
