"""What the user holds: ``connect()``, ``Session`` and its iterators; the protocol is elsewhere."""
