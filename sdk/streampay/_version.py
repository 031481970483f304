"""The versions of this SDK and of the API that it speaks; read by the build without importing anything else."""

__version__ = "0.1.0"
API_VERSION = "2026-11-20"
