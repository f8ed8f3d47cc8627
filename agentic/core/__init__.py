"""What a run does: the workflow graph, the agent loop, prompts and tool protocols."""
