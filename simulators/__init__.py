"""A simulated border: readers that answer as real ones do, traffic from a seed, and the truth to compare with.

Product code and test doubles at once: `gatebook demo` runs it, and so do the tests.
"""
