"""Every reader of what a workspace says, under bytes that nobody thought of (``make fuzz``)."""
