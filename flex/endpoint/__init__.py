"""What stands between a role and an OpenAI-compatible endpoint: dialects, pacing, usage, cost, embeddings."""
