"""Measurements, each a program: `./traffic bench NAME`."""
