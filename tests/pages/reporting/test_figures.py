"""A figure of the report: an anchor, a title, a caption, and plotly's JSON of each view."""

import plotly.graph_objects as go

from tl_experts.pages.reporting.figures import Picture


def test_a_figure_has_an_anchor_a_title_and_a_caption_and_stays_text():
    picture = Picture("name", "A < B", "See <b>this</b>.", {"": go.Figure()})
    assert '<figure id="figure-name"><h3>A &lt; B</h3>' in picture.section()
    assert "<figcaption>See &lt;b&gt;this&lt;/b&gt;.</figcaption>" in picture.section()


def test_views_keep_their_order_and_their_numbers():
    views = {label: go.Figure(go.Scatter(y=[value, None])) for label, value in (("b", 1), ("a", 2))}
    found = Picture("name", "title", "caption", views).document()
    assert [label for label, _ in found] == ["b", "a"]
    assert [figure["data"][0]["y"] for _, figure in found] == [[1, None], [2, None]]
