"""Pure rules: names, tags, passwords, permissions, plans, errors. No input or output, no framework."""
