"""Subcommands of ``traffic``; programs outside the core are started as processes, never imported."""
