"""Assay tables: reading them, the question about one and the tools to answer it, formulas, and averages."""
