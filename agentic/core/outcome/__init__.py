"""Is the task done? What was written and run, what shows whether it works, and what to tell the model when it does not."""
