"""What an experience library is made of: entries, the file, changes and their history, merging and joining."""
