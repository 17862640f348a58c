"""What a grade looks like: on a terminal, as JSON, as Markdown, as annotations. Reports decide nothing."""
