"""The control plane of aiortsp: connection, media session, reader, errors."""
