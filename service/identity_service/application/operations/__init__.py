"""Operations: many users made as one piece of work, shared out among all replicas by the store."""
