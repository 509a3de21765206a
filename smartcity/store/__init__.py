"""The serving database through SQLAlchemy: SQLite by default, PostgreSQL by URL. The stream writes, the API reads."""
