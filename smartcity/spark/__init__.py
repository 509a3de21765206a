"""Spark expressions and session set-up shared by batch and stream; the only place of the core that imports pyspark."""
