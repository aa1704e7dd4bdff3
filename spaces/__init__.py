"""The space file: what it says, where it says it, and what is wrong with it."""
