"""Alembic's scripts; revisions are numbered and never edited once released."""
