"""What stands at the end of a command's help: examples, and the exit codes."""

from __future__ import annotations

from identity_client.cli.exit_codes import EPILOG


def epilog(*examples: str) -> str:
    """Answer the end of the help of a command with these examples, written without the program's name."""
    heading = "Example:" if len(examples) == 1 else "Examples:"
    lines = "\n".join(f"  identityctl {example}" for example in examples)
    return f"{heading}\n{lines}\n\n{EPILOG}"
