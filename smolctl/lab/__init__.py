"""Labs: networks of stacks in virtual time, in one process."""
