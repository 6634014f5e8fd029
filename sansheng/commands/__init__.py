"""One module a command; each has a typer `app`."""
