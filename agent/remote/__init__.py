"""Commands from the centre (主站命令): believed, done at most once, answered and recorded."""
