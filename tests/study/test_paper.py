"""Values printed in the paper, as the paper has them."""

from tl_experts.study import paper


def test_printed_values_as_the_paper_has_them():
    assert paper.printed_pair_sets("bloom-7b", "tatoeba")["es", "post"] == 0.551
    assert paper.printed_pair_sets("aya-8b", "bucc18")["de", "pre"] == 0.017
    assert paper.printed_correlations("bloom-7b")["ja", "acc_pre~d_pre"] is None
    assert paper.printed_table1("polyglot-mini") == {}
