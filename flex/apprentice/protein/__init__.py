"""The apprentice on protein tables: formulas found by hill climbing, lessons from what raised the score."""
