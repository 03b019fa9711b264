"""The sysctls: what a user may tune, a file for each layer."""
