#!/bin/sh
# Pins what pyproject.toml asks for, and what runs in environments of its own, with hashes and without naming a registry.
# Run from the repository's root.
set -eu
compile() {
    out=$1; shift
    of pyproject.toml "$@"
}
of() {
    from=$1; shift
    CUSTOM_COMPILE_COMMAND="make lock" pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras \
        --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-annotate \
        --output-file "requirements/$out.txt" "$@" "$from"
}
compile agent --extra agent --extra sm2
compile receiver --extra receiver --extra postgresql --extra sm2
compile sim --extra sim
compile figures --extra receiver --extra figures
compile dev --extra agent --extra receiver --extra postgresql --extra sim --extra figures --extra sm2 --extra dev
# Of programs with environments of their own: the grid demonstration's power flow, and peers that benchmarks compare with.
for out in power-flow peers-gridemissions peers-netallocation; do
    of "requirements/$out.in" --no-emit-options
done
