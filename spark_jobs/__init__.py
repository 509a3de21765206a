"""Batch jobs: one module each, a pure ``DataFrame -> DataFrame`` function and a thin main around it."""
