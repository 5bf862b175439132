"""Commands (命令) to gateways, the centre's side: issued into the store, published, answered, audited (审计)."""
