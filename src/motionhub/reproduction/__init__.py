"""Tables of papers as data, trained and evaluated by one command, and comparisons of runs."""
