"""The Linux host: a network namespace, read and copied."""
