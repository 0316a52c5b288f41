"""OUTBOX TO PEOPLE: takes due outbox rows under a lease, sends them through a channel, settles them.

Lives here: the worker, its lanes and limits, and the words of a message.
May import: `config`, `store`, `channels`, `domain` and the leaves.
Must not: drop a page silently, send without a lease, or let a slow vendor hold up another one.
"""
