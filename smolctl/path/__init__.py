"""A packet's whole path: questions about several stacks, answered on clones of them."""
