"""What a training run knows already, what it carries from task to task, and the updater asked ahead of its turn."""
