"""Planning by search: `si`, sophisticated inference."""
