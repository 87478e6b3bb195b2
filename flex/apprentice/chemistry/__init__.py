"""The apprentice's chemistry: atom maps, templates and their ranking, from RDKit alone."""
