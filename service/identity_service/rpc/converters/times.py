"""Times."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp


def to_timestamp(time: datetime) -> Timestamp:
    """Convert an aware time."""
    timestamp = Timestamp()
    timestamp.FromDatetime(time)
    return timestamp


def to_optional_timestamp(time: datetime | None) -> Timestamp | None:
    """Convert an aware time, or leave it out."""
    return None if time is None else to_timestamp(time)
