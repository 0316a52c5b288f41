"""REPLAY: the journal through a configuration, in memory.

The decisions are those of the daemon, made by the same functions; what is written down there is held in memory here,
and time goes from one event to the next. It may import workflows and what is below them. It reads no clock and sends
nothing; only `stored` asks the database, for what is to be replayed.
"""
