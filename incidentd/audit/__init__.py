"""The audit log's format: entries, their chain, signatures, bundles, and the judge of a bundle.

Nothing here knows the database, the configuration or the network: what verifies must run anywhere. The format is
written down in docs/audit-format.md.
"""
