"""Searching a library: by words and 4-grams, molecular structure and vectors, fused into one ranking."""
