"""What the repository draws for itself, and what is measured on it.

Commands run from the root of the repository: `python -m data.thresholds.experiments`.

| package | what it is |
|---|---|
| `world` | the drawn world: scenes and their truth, captions, pictures, films |
| `sample_library` | makes `sample/` and `queries.csv`, and reads their truth |
| `tiny` | the tiny model: its shapes, what it learns from, its training |
| `evaluation` | how well a model searches the drawn world |
| `match` | the banks of texts, and what the match finds with them |
| `thresholds` | which rule for a cutoff holds |
| `paper` | the paper's printed scores, and its files |

README.md beside this file has the figures.
"""
