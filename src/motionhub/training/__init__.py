"""The training loop, its recipe, its data and its evaluation. Import from the modules: this one loads nothing."""
