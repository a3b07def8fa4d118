"""The asyncio RTSP/RTP client library."""
