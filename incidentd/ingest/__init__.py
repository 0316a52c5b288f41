"""Input formats: bytes of one sender in, alerts out. No I/O, no clock; may import the domain only."""
