"""Steps from one schema of the serving database to the next."""
