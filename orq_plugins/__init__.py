"""Plugins for orq_core, each found by its entry point or given to a client."""
