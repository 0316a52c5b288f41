"""ALERTMANAGERS: asks them what fires and what is silenced, and tells them of silences; never trusts one answer.

One file speaks their API (`alertmanager`), one keeps the configured ones open (`members`).
"""
