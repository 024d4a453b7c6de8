"""The planner: reads the facts of an account, then lets the domain's rules make the plan; one reader a module."""
