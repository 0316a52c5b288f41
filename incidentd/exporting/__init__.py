"""THE PAGE WITHOUT US: the public documents as files, in a directory or a bucket, served by whoever still runs.

It gets documents that are finished, knows where they go, and decides nothing about what is public.
"""
