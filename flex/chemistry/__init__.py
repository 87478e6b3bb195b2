"""Molecules: comparing answers, finding SMILES in text, and the tools that agents get."""
