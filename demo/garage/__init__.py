"""A real garage: a utility's hourly meter and the orders of ten charging units, estimated by the product's commands."""
