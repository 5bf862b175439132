"""Channels (信道): how octets get to a line and back; one module for each kind."""
