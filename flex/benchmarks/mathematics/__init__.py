"""Mathematical answers: what their typography stands for, what they are worth, and when two of them are the same."""
