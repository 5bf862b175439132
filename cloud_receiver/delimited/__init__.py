"""Delimited text as people's exports have it: cells, columns, numbers and local times, read the same way everywhere."""
