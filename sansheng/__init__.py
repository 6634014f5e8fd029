"""The one place where the rooms are wired: settings, pipeline, service, command line."""
