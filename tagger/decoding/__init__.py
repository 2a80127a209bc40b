"""Features to captions and ranked tags, inside the graph."""
