"""Sealing: secrets encrypted with age to the recipients that a caller names."""

from identity_service.adapters.sealing.age import AgeSealer

__all__ = ["AgeSealer"]
