"""The only layer with sockets, the clock, chance and logs."""
