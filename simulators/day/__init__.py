"""A day of the border at three port pairs, with every odd case at a set rate, and its truth."""
