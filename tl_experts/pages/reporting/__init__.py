"""Parts of a study's report: what its columns mean, its tables, figures, first screen, and the page around them."""
