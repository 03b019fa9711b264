"""Routes, rules and next hops, and what was learned of ways."""
