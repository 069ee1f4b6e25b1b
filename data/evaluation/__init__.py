"""How well a model searches the drawn world: `figures` has single queries, `composed` sums of them, `evaluate` all."""
