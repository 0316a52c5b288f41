"""PUBLIC BYTES: a `PublicPage` in, documents out. Pure; it knows the domain and nothing else, so nothing can slip in.

`documents.render` makes all of them at once: JSON, feeds, badges, HTML. They are served from memory, and can be written
to files as they are.
"""
