"""HTTP IN: thin handlers that parse a request, call a workflow and put its answer into words.

Lives here: routes, middleware, authentication, problem answers, templates.
May import: `workflows`, `delivery`, everything below them, and aiohttp.
Must not: know SQL, decide about incidents, or answer 2xx before the commit.
"""
