"""CONFORMANCE: hard cases of Alertmanager against any receiver.

The cases are data (`cases_*`), one file builds what is posted (`bodies`), one posts it as Alertmanager would (`wire`),
one sees what the receiver made of it (`adapter`, `own`), one judges (`judge`), one goes through them (`suite`).
"""
