"""A second verifier of ledgers of entry format 1, made from FORMAT.md alone. See README.md."""
