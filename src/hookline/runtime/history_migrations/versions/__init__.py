"""One file for each change. A released one never changes: databases were made by it."""
