"""One module a raw format: its builder held against a sample, see `tests.golden.datasets`."""
