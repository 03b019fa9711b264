"""Operations on a stack, a file for each noun, for any clock and any wires."""
