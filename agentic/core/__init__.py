"""The parts of a run: the workflow graph, the agent loop, prompts and tool protocols."""
