"""One module a bench; each has a typer `app` and prints one JSON object last."""
