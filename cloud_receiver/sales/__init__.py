"""What was sold: charge orders (充电订单), and how they agree with what was metered."""
