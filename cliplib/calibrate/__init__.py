"""Where should the threshold be? Judgements, rules that take a cutoff from them, and how well these do.

In reading order: `judgements` are what people said of which result (`pooling` is their CSV), `rules` take a cutoff from
judged scores, `evaluation` holds queries out to test the rules, and `profiles` keep the cutoff that was chosen.
"""
