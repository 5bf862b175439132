"""How a running program is watched: metrics for Prometheus, and life signs for systemd."""
