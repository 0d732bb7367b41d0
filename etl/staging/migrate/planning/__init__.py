"""From what the catalogs say of a table to the steps that bring it to the contract; reads only."""
