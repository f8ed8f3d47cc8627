"""What models write when they mean a tool call or an answer and miss the form."""
