"""The public status page as rules: what is told, when, in which words, and how the page follows from it.

Pure, as all of the domain. `page.PublicPage` is the one thing that public bytes are made of: it has no field that a
label, an annotation or the name of a person could get into.
"""
