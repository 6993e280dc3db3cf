"""The pages, one a module. Each has `add`, which puts it into the application."""
