"""REST and WebSocket on top of what the stream writes: Kafka for the present, the serving database for the past."""
