"""Between the contract's messages and the service's own terms. Nothing is decided here."""
