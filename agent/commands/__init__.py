"""The commands of `diantan-agent`: each room adds its arguments to the parser and does the work."""
