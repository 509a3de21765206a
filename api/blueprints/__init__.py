"""The URLs, one module per subject."""
