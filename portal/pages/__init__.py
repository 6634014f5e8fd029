"""The pages, a module each; every one adds its routes to the gate with their rules."""
