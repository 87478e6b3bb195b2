"""Assay tables: reading them, what is said of them in a prompt, formulas over their columns, and averages."""
