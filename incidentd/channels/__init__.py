"""ADAPTERS: one file is one channel, and the file's name is its `kind` in the configuration.

Lives here: for each channel its configuration, a pure render of the message, a pure judgement of the vendor's
answer, and an example; beside them `base` (the port) and `http` (the one HTTP client).
May import: `domain`, the leaves, and `base` and `http` of this package.
Must not: import another channel, read the database, or try again by itself: the outbox decides on that.
"""
