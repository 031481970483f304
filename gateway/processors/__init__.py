"""Processors: one folder a provider family. They never see each other and never touch the database."""
