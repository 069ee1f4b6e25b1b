"""Where should the threshold be? Judgements, rules that take a cutoff from them, and how well these do.

In reading order: `judgements` are what people said of which result, and how that came to be judged (`judgements_csv`
is their CSV); `sampling` chooses what to judge; `relevance` says what to expect of the pictures that nobody judged;
`rules` take a cutoff from judged scores; `evaluation` holds queries out to test the rules, and compares them; `odds`
are the words under a hit; `profiles` keep the cutoff that was chosen, and `cutoffs` is what a search asks. `lab` does
all that for a library.

A study without a library, from arrays alone:

    samples = [sampling.sample(scores, seed=n) for n, scores in enumerate(all_scores)]      # float (n,) for each query
    judged = rules.Judged.of_samples(all_scores, samples, answers)                          # bool, one for each sample
    evaluation.compare(judged, {"fixed": 0.25})                                             # a table with intervals
    evaluation.paired(evaluation.f1_by_rule(judged))                                        # which rules differ
"""
