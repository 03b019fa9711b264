"""The process that keeps a stack alive: one event loop, its clients and its devices."""
