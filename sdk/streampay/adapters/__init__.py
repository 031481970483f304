"""The plugin in other people's frameworks and shops; each module needs what it is named after, and nothing else."""
