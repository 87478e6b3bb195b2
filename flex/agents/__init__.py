"""Agents that think in Python: a pool of them, the actor and the retriever that use it, and where their code runs."""
