"""Patterns for error messages."""

import re


def says(*parts: str) -> str:
    """A pattern for messages that have all of the parts, in any order."""
    return "(?s)" + "".join(f"(?=.*{re.escape(part)})" for part in parts)
