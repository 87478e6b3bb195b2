"""A training run: its configuration, the session that its log resumes, and the library's speculative evolution."""
