"""What leaves a process: topics, messages, the signed envelope, and the MQTT link (docs/wire.md)."""
