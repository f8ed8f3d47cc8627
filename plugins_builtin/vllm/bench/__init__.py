"""`agentic bench`: what the servers can do, measured as an agent would use them.

`shapes` makes the requests, `load` keeps so many of them in flight and measures, `sweep` raises the number until it no longer pays,
`advice` says what to set; `results` keeps and compares, `page` draws the HTML.
"""
