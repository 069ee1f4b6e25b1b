"""The sample library: `make` draws `data/sample/` and writes `data/queries.csv`; `truth` reads what is true."""
