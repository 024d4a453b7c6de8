"""Reflection, by which tools such as grpcurl learn the contract: a stream that its client keeps open."""

MOST_REFLECTIONS = 4
"""How many may be under way, beside calls and watchers: people look, and it takes a tool a moment."""


def is_reflection(method: str) -> bool:
    """Tell whether a method, such as `/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo`, is one of it."""
    return method.startswith("/grpc.reflection.")
