"""The planner, the executor, and one use case per file; `ports` says what they need of the world."""
